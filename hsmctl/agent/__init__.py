"""The process that holds a PKCS#11 module and answers frames; standard library, and python-pkcs11 in operations."""
