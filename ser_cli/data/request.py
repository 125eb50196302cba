"""Ask a server for a file, once; tell what may succeed the next time from what will not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ssl import SSLCertVerificationError
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Retry
from urllib3.exceptions import HTTPError, InvalidHeader, LocationValueError, ResponseError
from urllib3.util import make_headers, parse_url

from ser_cli import distribution
from ser_cli.errors import FetchError

# What is worth another attempt, and how many seconds a server may ask to wait before it. urllib3
# itself only follows redirects, since a second request should ask for less than the first.
_POLICY = Retry(
    total=None,
    connect=0,
    read=0,
    status=0,
    other=0,
    redirect=10,
    status_forcelist={408, 425, 429, 500, 502, 503, 504},
    raise_on_status=False,
    retry_after_max=120,
)
OTHER_WAY = "try again later, or fetch it another way and give its location with --from"


class BrokenError(Exception):
    """An attempt failed in a way that the next may not.

    Attributes:
        pause: Seconds the server asks to wait, or None.
    """

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


@contextmanager
def request(url: str, headers: Mapping[str, str], timeout: float) -> Iterator[BaseHTTPResponse]:
    """Yield the answer to one request, with its body still to be read, as it is on the server.

    Redirects are followed, to http and https only.

    Args:
        url: http or https.
        headers: What to send besides the name of this program.
        timeout: Seconds without an answer that count as a failure.

    Yields:
        An answer of status 200, 206 or 416.

    Raises:
        BrokenError: It failed, here or while the body was read, and may succeed the next time.
        FetchError: It will fail the next time as well.
    """
    headers = {
        "User-Agent": f"ser/{distribution.version()}",
        "Accept-Encoding": "identity",
        **headers,
    }
    try:
        with (
            _manager(url) as manager,
            manager.request(
                "GET",
                url,
                headers=headers,
                timeout=timeout,
                retries=_POLICY,
                preload_content=False,
                decode_content=False,
                # The caller knows better how long the whole should be.
                enforce_content_length=False,
            ) as response,
        ):
            _check_status(url, response)
            yield response
    except HTTPError as error:
        raise _meaning(url, error) from error


def _manager(url: str) -> PoolManager:
    """Connect as the environment states: through a proxy, but not to the hosts in no_proxy."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return PoolManager()
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    login = parse_url(proxy).auth
    headers = make_headers(proxy_basic_auth=unquote(login)) if login else None
    return ProxyManager(proxy, proxy_headers=headers)


def _check_status(url: str, response: BaseHTTPResponse) -> None:
    if _POLICY.is_retry("GET", response.status):
        raise BrokenError(f"the server answers {response.status}", _asked_pause(response))
    if response.status not in (200, 206, 416):
        raise FetchError(
            f"{url}: the server answers {response.status} {response.reason}", hint=OTHER_WAY
        )


def _asked_pause(response: BaseHTTPResponse) -> float | None:
    try:
        return _POLICY.get_retry_after(response)
    except (InvalidHeader, ValueError, OverflowError):
        return None


def _meaning(url: str, error: HTTPError) -> Exception:
    """Report what went wrong on the way in the words of its cause."""
    cause = _cause(error)
    if isinstance(cause, SSLCertVerificationError):
        return FetchError(f"{url}: its certificate is not trusted: {cause}", hint=OTHER_WAY)
    if isinstance(cause, LocationValueError | ResponseError):
        return FetchError(f"{url} cannot be fetched: {cause}", hint=OTHER_WAY)
    return BrokenError(str(cause) or type(cause).__name__)


def _cause(error: BaseException) -> BaseException:
    """Find what urllib3 wraps: it chains some causes, and gives others as arguments."""
    given = (argument for argument in error.args if isinstance(argument, BaseException))
    inner = error.__cause__ or next(given, None)
    return _cause(inner) if inner else error
