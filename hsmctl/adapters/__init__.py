"""The outside world behind the ports: boto3, PKCS#11, SSH, files; foreign errors are translated here, once."""
