"""`key`: the keys one user sees, and new ones; each family of verbs has a file of its own."""

from __future__ import annotations

from hsmctl.cli.key_bench import bench_token
from hsmctl.cli.key_certificate import certificates, request_certificate, sign_own_certificate
from hsmctl.cli.key_change import (
    copy_keys,
    delete_keys,
    disable_keys,
    enable_keys,
    rename_key,
    rotate_key,
    set_attributes,
)
from hsmctl.cli.key_generate import generate_key
from hsmctl.cli.key_lint import lint_keys, write_inventory
from hsmctl.cli.key_list import find_keys, list_keys, show_key
from hsmctl.cli.key_move import export_key, import_key, unwrap_key, wrap_key
from hsmctl.cli.key_use import decrypt_file, derive_secret, encrypt_file, mac_file, sign_file, verify_file
from hsmctl.cli.verb import Noun

noun = Noun(
    "key",
    "Keys: list them, make them, use them, move them, change them.",
    *(list_keys, find_keys, show_key, generate_key),
    *(import_key, export_key, wrap_key, unwrap_key, copy_keys),
    *(sign_file, verify_file, mac_file, encrypt_file, decrypt_file, derive_secret),
    *(disable_keys, enable_keys, set_attributes, rename_key, rotate_key, delete_keys),
    *(lint_keys, write_inventory, bench_token),
    *(request_certificate, sign_own_certificate, certificates),
)
