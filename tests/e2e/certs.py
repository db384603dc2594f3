"""Certificates for the tests, made by the openssl command when they run: no key is in the tree."""
import os
import subprocess
import sys
import unittest


def openssl(*args, data=None):
    """Standard output of the command; a skip when there is none."""
    try:
        return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True, timeout=60).stdout
    except FileNotFoundError:
        raise unittest.SkipTest("there is no openssl command to make certificates with") from None


class Authority:
    """Signs certificates into a folder; `ca` is the file that others trust."""

    def __init__(self, folder, name="Test CA"):
        self.folder, self.name = folder, name
        self.ca, self.key = self._path("ca", "crt"), self._path("ca", "key")
        # What Python from 3.13 on asks of authorities and of those whom they sign.
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-subj", f"/O=Example/CN={name}", "-keyout", self.key, "-out", self.ca)

    def _path(self, name, end):
        return os.path.join(self.folder, f"{self.name}-{name}.{end}".replace(" ", "-").lower())

    def issue(self, common, names=None, days=2):
        """One file with certificate and key; `days` 0: it has expired. `names` is as
        subjectAltName is written: "DNS:localhost,IP:127.0.0.1"."""
        key, request, more, to = (self._path(common, end) for end in ("key", "csr", "ext", "pem"))
        with open(more, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
            f.write("authorityKeyIdentifier=keyid\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/O=Example/CN={common}", "-keyout", key, "-out", request)
        cert = openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial",
                       "-days", str(days), "-extfile", more)
        with open(key, "rb") as k, open(to, "wb") as f:
            f.write(cert + k.read())
        return to


def serial(pem):
    """The serial number of the first certificate in these bytes."""
    return openssl("x509", "-noout", "-serial", data=pem).decode().strip()


if __name__ == "__main__":
    sys.exit("this file is for the tests beside it")
