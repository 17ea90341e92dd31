"""on_workers: what fans out goes to the workers of a dask cluster."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bayescale.errors import InputError
from bayescale.fits.versions import versions

SECONDS = 60
"""To wait for the scheduler, and for a first worker."""


@contextmanager
def on_workers(address: str | None) -> Iterator[None]:
    """Send what fans out to a cluster: the same as ``joblib.parallel_config("dask", client=...)``, checked first.

    Parameters
    ----------
    address : str or None
        Of the scheduler, such as ``tcp://10.0.0.1:8786``; with None everything stays on this machine.

    Raises
    ------
    InputError
        If ``dask.distributed`` is not installed, no scheduler or no worker answers, or a worker has other versions,
        with which numbers could differ.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client  # noqa: PLC0415  (an extra)
        from joblib import parallel_config  # noqa: PLC0415  (0.1 s that only this needs)
    except ImportError as error:
        raise InputError("workers need dask.distributed; install it with: pip install 'bayescale[dask]'") from error
    try:
        client: Any = Client(address, timeout=SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InputError(
            f"workers {address}: no scheduler answers ({error}); expected the address that dask-scheduler prints, such "
            "as tcp://10.0.0.1:8786"
        ) from error
    with client:
        _check(client, address)
        with parallel_config("dask", client=client):
            yield


def _check(client: Any, address: str) -> None:  # noqa: ANN401  (distributed names no types)
    """Raise InputError unless there are workers, all with the versions of this machine."""
    from distributed import TimeoutError as Late  # noqa: PLC0415  (as above)

    try:
        client.wait_for_workers(1, timeout=SECONDS)
    except Late as error:
        raise InputError(
            f"workers {address}: no worker after {SECONDS} seconds; start some: dask worker {address}"
        ) from error
    try:
        found: Mapping[str, Mapping[str, str]] = client.run(versions)
    except ImportError as error:
        raise InputError(
            f"workers {address}: bayescale cannot be imported there ({error}); install it there"
        ) from error
    here = versions()
    for worker, there in found.items():
        other = [
            f"{name} {there.get(name)} there and {here[name]} here" for name in here if there.get(name) != here[name]
        ]
        if other:
            raise InputError(
                f"workers {address}: {worker} has {', '.join(other)}, with which numbers may differ; install the same "
                "versions on both"
            )
