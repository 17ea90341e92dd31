"""figure_data: what a figure shows, as a table."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.contour import ContourSet
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

type Rows = np.ndarray
"""Points (row, 2), or from where to where (row, 4): x, y and the x, y of the other end; NaN reaches across."""

UNNAMED = "guide"


def figure_data(ax: Axes) -> pd.DataFrame:
    """Return what is drawn on axes as a table: points, lines, bands and shaded parts.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        What a ``plot_*`` function returned.

    Returns
    -------
    pandas.DataFrame
        A row for each point: ``series`` (what the legend calls it), ``row`` where the axis has names, and x and y under
        the labels of the axes. What has a length (a bar, a band at one x, a shaded part) has its other end in the
        columns that end in ``, end``; what reaches across the figure has no value there.
    """
    x, y = ax.get_xlabel(), ax.get_ylabel()
    columns = [x, y, f"{x}, end", f"{y}, end"]
    parts = [pd.DataFrame(_four(rows), columns=columns).assign(series=name) for name, rows in _drawn(ax) if len(rows)]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*columns, "series"])
    rows = _named_rows(ax)
    if rows:
        table["row"] = [rows.get(round(place), "") if np.isfinite(place) else "" for place in table[y]]
    used = [name for name in columns if table[name].notna().any()]
    return table[["series", *(["row"] if rows else []), *used]]


def _drawn(ax: Axes) -> Iterator[tuple[str, Rows]]:
    """Yield each artist's name and rows; what has no name has that of what has its colour, or none."""
    artists = sorted([*ax.collections, *ax.patches, *ax.lines], key=lambda artist: artist.get_zorder())
    looks = [(type(artist), _color(artist)) for artist in artists]
    names = {look: _label(artist) for look, artist in zip(looks, artists, strict=True) if _label(artist)}
    by_color = {color: name for (_, color), name in reversed(names.items())}
    for look, artist in zip(looks, artists, strict=True):
        name = _label(artist) or names.get(look) or by_color.get(look[1], UNNAMED)
        if isinstance(artist, ContourSet):
            yield from ((f"{name} {level:.6g}", _path(path)) for level, path in _contours(artist))
        else:
            yield name, _rows(artist, ax)


def _label(artist: Artist) -> str:
    """Return what the legend calls an artist, or the name it was given where the legend leaves it out."""
    label = str(artist.get_gid() or artist.get_label() or "")
    return "" if label.startswith("_") else label.replace("\n", " ")


def _color(artist: Any) -> str:  # noqa: ANN401  (lines, patches and collections name their colour differently)
    if isinstance(artist, Line2D):
        return to_hex(artist.get_color())
    edge = np.atleast_2d(artist.get_edgecolor())
    face = np.atleast_2d(artist.get_facecolor())
    colors = edge if isinstance(artist, LineCollection | ContourSet) or not len(face) else face
    return to_hex(colors[0]) if len(colors) else ""


def _rows(artist: Artist, ax: Axes) -> Rows:
    if isinstance(artist, Line2D):
        return _line(artist, ax)
    if isinstance(artist, LineCollection):
        return _segments(artist.get_segments())
    if isinstance(artist, PathCollection):
        return np.asarray(np.ma.filled(artist.get_offsets(), np.nan), dtype=float)
    if isinstance(artist, Collection):
        return _segments([_bars(np.asarray(path.vertices)) for path in artist.get_paths()])
    if isinstance(artist, Rectangle):
        return _span(artist, ax)
    return _path(artist.get_path()) if isinstance(artist, Patch) else np.empty((0, 2))


def _line(line: Line2D, ax: Axes) -> Rows:
    """Return a line's points; its bars where gaps part it into pairs; its place where it crosses the whole figure."""
    points = np.column_stack([np.asarray(values, dtype=float) for values in line.get_data(orig=False)])
    across = line.get_transform().contains_branch_seperately(ax.transData)  # Matplotlib's own spelling
    points[:, [not whole for whole in across]] = np.nan
    if not all(across):
        return points[:1]
    if len(points) > 2 and len(points) % 3 == 0 and np.isnan(points[2::3]).any(axis=1).all():
        return np.hstack([points[::3], points[1::3]])
    return points[np.isfinite(points).all(axis=1)]


def _segments(segments: list[np.ndarray]) -> Rows:
    straight = [part if part.shape[1] == 4 else part.reshape(1, -1)[:, :4] for part in segments if len(part)]
    return np.vstack(straight) if straight else np.empty((0, 4))


def _bars(outline: np.ndarray) -> Rows:
    """Return a band as one bar for each x, from its lower to its upper edge."""
    x, place = np.unique(outline[:, 0], return_inverse=True)
    low, high = np.full(x.size, np.inf), np.full(x.size, -np.inf)
    np.minimum.at(low, place, outline[:, 1])
    np.maximum.at(high, place, outline[:, 1])
    return np.column_stack([x, low, x, high])


def _span(box: Rectangle, ax: Axes) -> Rows:
    """Return the two ends of what is shaded from edge to edge of the figure."""
    x, y = box.get_xy()
    ends = np.array([[x, y, x + box.get_width(), y + box.get_height()]])
    across = box.get_transform().contains_branch_seperately(ax.transData)
    ends[:, [not across[0], not across[1]] * 2] = np.nan
    return ends


def _contours(lines: ContourSet) -> Iterator[tuple[float, Any]]:
    yield from zip(lines.levels, lines.get_paths(), strict=True)


def _path(path: Any) -> Rows:  # noqa: ANN401  (Matplotlib's Path)
    """Return the points of an outline without the mark that closes it."""
    closing = path.codes == path.CLOSEPOLY if path.codes is not None else np.zeros(len(path.vertices), dtype=bool)
    points: Rows = np.asarray(path.vertices, dtype=float)[~closing]
    return points


def _four(rows: Rows) -> Rows:
    return rows if rows.shape[1] == 4 else np.hstack([rows, np.full_like(rows, np.nan)])


def _named_rows(ax: Axes) -> dict[int, str]:
    """Return the names along the vertical axis by their place, where it has names."""
    axis = ax.yaxis
    if not (
        isinstance(axis.get_major_locator(), FixedLocator) and isinstance(axis.get_major_formatter(), FuncFormatter)
    ):
        return {}
    return {
        round(float(place)): text.get_text() for place, text in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    }
