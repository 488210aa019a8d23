"""Finding and reading the settings: a flag beats HSMCTL_*, which beats the context, which beats the default.

Keys nobody knows are refused with the nearest known name, and every error names the file and the key. The lab is never
implicit: it is chosen by name, or by naming its folder. AWS's own variables and files are left to AWS's own library;
only AWS_ENDPOINT_URL is read here, because where a context points is what keeps the lab and the world apart.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from hsmctl.errors import Conflict, Denied, UsageError
from hsmctl.settings import Context, ContextKind, Flags, Settings, Ui
from hsmctl.settings_value import context_values, nearest, refuse_unknown, table, ui_values

LAB = "lab"
"""The name of the lab's context, which no other may have."""

_TOP = ("default_context", "context", "ui")


def load(flags: Flags, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this run: the chosen context with the typed flags on top.

    Raises:
        UsageError: the configuration or the choice makes no sense.
        Conflict: the lab was chosen and has not been made.
    """
    settings = folders(environ)
    name = chosen(flags, environ)
    context = with_lab_context(settings).context if name == LAB else _configured(name, config_path(environ))
    typed = {key: value for key in ("profile", "region", "endpoint_url") if (value := getattr(flags, key)) is not None}
    return replace(settings, context=replace(_with_endpoint(context, environ), **typed))


def folders(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings that know where things are kept, and no context yet."""
    state = _named_path(environ, "HSMCTL_STATE_HOME") or _platform_folder("state")
    home = _named_path(environ, "HSMCTL_LAB_HOME") or state / "lab"
    return Settings(context=Context(), state_folder=state, lab_home=home)


def chosen(flags: Flags, environ: Mapping[str, str]) -> str | None:
    """The name of the chosen context: the flag's, HSMCTL_CONTEXT's, the lab's if its folder is named, or None."""
    if flags.lab and flags.context not in (None, LAB):
        raise UsageError("--lab and --context", "they name two contexts", "give one")
    typed = LAB if flags.lab else flags.context
    return typed or environ.get("HSMCTL_CONTEXT") or (LAB if environ.get("HSMCTL_LAB_HOME") else None)


def with_lab_context(settings: Settings) -> Settings:
    """The settings with the context that `lab up` wrote.

    Raises:
        Conflict: there is no lab in the lab's folder.
    """
    path = settings.lab_home / "context.toml"
    if not path.is_file():
        raise Conflict("no lab", f"{path} does not exist", "hsmctl lab up")
    found = read(path).get(LAB)
    if found is None or found.kind is not ContextKind.LAB:
        raise Conflict(str(path), "it is not a lab's context", "hsmctl lab reset --yes")
    return replace(settings, context=found)


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The configuration file, there or not: HSMCTL_CONFIG, or config.toml in the platform's folder."""
    return _named_path(environ, "HSMCTL_CONFIG") or _platform_folder("config") / "config.toml"


def read(path: Path) -> dict[str, Context]:
    """Every context of a settings file by name, all keys checked; none if there is no file.

    Raises:
        UsageError: the file is not TOML, or a key or value is not one of ours.
        Denied: it may not be read.
    """
    document = _document(path)
    refuse_unknown(document, _TOP, f"{path}: ")
    tables = table(document.get("context", {}), f"{path}: context", path)
    found = {name: _context(name, raw, path) for name, raw in tables.items()}
    _ui(document, path)
    default = document.get("default_context")
    if default == LAB:
        raise UsageError(f"{path}: default_context", "the lab is never implicit", "use --lab or HSMCTL_CONTEXT=lab")
    if default is not None and not isinstance(default, str):
        raise UsageError(f"{path}: default_context", "it is no text", 'default_context = "prod"')
    if default is not None and default not in found:
        raise UsageError(f"{path}: default_context", f"no context {default}", nearest(str(default), found))
    return found


def read_ui(path: Path) -> Ui:
    """What a settings file says about the terminal UI.

    Raises:
        UsageError: a key or value is not one of ours.
        Denied: it may not be read.
    """
    return _ui(_document(path), path)


def _ui(document: Mapping[str, Any], path: Path) -> Ui:
    what = f"{path}: ui"
    return Ui(**ui_values(table(document.get("ui", {}), what, path), what, path))


def _configured(name: str | None, path: Path) -> Context:
    """The named context of the configuration, else its default, else the one that knows nothing."""
    known = read(path)
    wanted = name or _document(path).get("default_context")
    if wanted is None:
        return Context()
    if wanted not in known:
        why = f"{path} has {', '.join(known) or 'none'}" if path.exists() else f"{path} does not exist"
        raise UsageError(f"no context {wanted}", why, nearest(wanted, known) or "hsmctl config init")
    return known[wanted]


def _with_endpoint(context: Context, environ: Mapping[str, str]) -> Context:
    """The context with the endpoint that AWS's library would take from the environment, so that it can be judged."""
    if context.endpoint_url or environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return context
    return replace(context, endpoint_url=environ.get("AWS_ENDPOINT_URL") or None)


def _named_path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]).expanduser().absolute() if environ.get(name) else None


def _platform_folder(kind: str) -> Path:
    import platformdirs

    return platformdirs.user_state_path("hsmctl") if kind == "state" else platformdirs.user_config_path("hsmctl")


def _document(path: Path) -> dict[str, Any]:
    """The file as TOML; empty if it is not there."""
    import tomllib

    try:
        with path.open("rb") as stream:
            return tomllib.load(stream, parse_float=Decimal)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise Denied(str(path), error.strerror or str(error), f"ls -l {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(str(path), f"not TOML: {error}", "correct the file") from error


def _context(name: str, raw: object, path: Path) -> Context:
    """One context; its keys are the fields of Context, the lab's access key is named by its file."""
    what = f"{path}: context.{name}"
    found = table(raw, what, path)
    if (name == LAB) != (found.get("kind", "aws") == "lab"):
        raise UsageError(what, "the name and the kind lab belong together, and lab up writes them", "use another name")
    values = context_values(found, what, path, of_lab=name == LAB)
    if "secret_access_key_file" in values:
        values["secret_access_key"] = values.pop("secret_access_key_file")
    return Context(name=name, **values)
