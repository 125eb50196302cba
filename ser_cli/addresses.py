"""Addresses of files elsewhere, s3://bucket/1.wav or https://host/1.mp3: which are followed.

Only the schemes below are, and none that is chained to another (`zip::s3://`): fsspec, which reads
them, knows many more, some of which run code, or lead to where no recording is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ser_cli import distribution
from ser_cli.errors import SerError, UsageError

# Schemes, and the package that reads each.
STORES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs"), "adlfs"),
    "hf": "huggingface_hub",
}
WEB = dict.fromkeys(("http", "https"), "aiohttp")
SHIPPED = ("fsspec", "s3fs", "aiohttp")  # in the extra `cluster`


def is_url(name: str) -> bool:
    """Tell whether a name is an address, and no path."""
    scheme, mark, _ = name.partition("://")
    return bool(mark and scheme and "/" not in scheme)


def is_web(url: str) -> bool:
    """Tell whether it is a server's, which has files, but no folders and no room for ours."""
    return scheme_of(url) in WEB


def checked(name: str) -> str:
    """Return a path or an address as it is, and the path of a `file://`.

    Raises:
        UsageError: It is an address that is not followed.
    """
    if not is_url(name):
        return name
    scheme = scheme_of(name)
    if scheme == "file":
        from urllib.request import url2pathname  # which loads what speaks to servers

        return url2pathname(urlsplit(name).path)
    if scheme not in STORES | WEB or "::" in name:
        known = ", ".join(f"{known}://" for known in (*STORES, *WEB, "file"))
        raise UsageError(f"{name}: such addresses are not followed", hint=f"one of {known}")
    parts = urlsplit(name)
    if not parts.netloc:
        raise UsageError(f"{name} names no host and no bucket", hint=f"{scheme}://NAME/...")
    login, mark, host = parts.netloc.rpartition("@")
    if mark and (scheme in WEB or ":" in login):  # abfs://CONTAINER@ACCOUNT is none
        raise UsageError(
            f"{scheme}://{host}{parts.path}: its login would stand in results and logs",
            hint="put it into ~/.netrc",
        )
    return name


@contextmanager
def telling(url: str, kind: type[SerError] = SerError) -> Iterator[None]:
    """Turn what a library says of an address into what a user can do about it.

    Raises:
        FileNotFoundError: Nothing is there, and `kind` is the general one.
        SerError: Of this kind, for whatever else went wrong.
    """
    try:
        yield
    except SerError:
        raise
    except Exception as error:
        what, hint = _reason(url, error)
        if what is None and kind is SerError:
            raise FileNotFoundError(url) from error
        raise kind(f"{url}: {what or 'is not there'}", hint=hint) from error


def scheme_of(url: str) -> str:
    """Return the scheme of an address: s3, https."""
    return url.partition("://")[0].lower()


def _reason(url: str, error: Exception) -> tuple[str | None, str]:
    """Return what went wrong, None where nothing is there, and what to do about it."""
    causes = [*_causes(error)]
    names = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    said = next((str(cause) for cause in reversed(causes) if str(cause)), type(error).__name__)
    said = " ".join(said.split())  # in one line
    status = next((cause.status for cause in causes if hasattr(cause, "status")), None)
    package = (STORES | WEB)[scheme_of(url)]
    if isinstance(error, ImportError):
        needed = distribution.install("cluster", *([] if package in SHIPPED else [package]))
        return f"what reads such addresses is not installed ({package})", needed
    if any("Credentials" in name or "RefreshError" in name for name in names):
        return f"no credentials were found ({said})", _login(url)
    if isinstance(error, PermissionError) or status in (401, 403):
        return f"access is denied ({said})", _login(url)
    if "NoSuchBucket" in names or "bucket does not exist" in said.lower():
        return f"there is no bucket {urlsplit(url).netloc!r}", "check its name"
    if {"ClientConnectorError", "EndpointConnectionError", "ConnectionError"} & names:
        return f"cannot be reached ({said})", "check the address and the connection, and try again"
    # fsspec takes both for files that are not there.
    if "TimeoutError" in names:
        return f"does not answer ({said})", "check the address, and try again"
    if "RedirectClientError" in names:
        return f"leads to what is not followed ({said})", "check where its server sends you"
    if isinstance(error, FileNotFoundError) and status in (None, 404, 410):
        return None, "check its name"
    return f"cannot be read ({said})", "try again, or copy it here first"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _login(url: str) -> str:
    """Return what to do where a store does not know who asks."""
    if STORES.get(scheme_of(url)) == "s3fs":
        return (
            "aws configure; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_ENDPOINT_URL "
            "for a store that is not Amazon's); or FSSPEC_S3_ANON=true where the bucket is public"
        )
    logins = {
        "gcsfs": "gcloud auth application-default login",
        "adlfs": "set AZURE_STORAGE_CONNECTION_STRING",
        "huggingface_hub": "hf auth login, or set HF_TOKEN",
    }
    return logins.get((STORES | WEB)[scheme_of(url)], "put the login into ~/.netrc")
