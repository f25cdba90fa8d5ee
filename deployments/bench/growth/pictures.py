"""Every line of growth on logarithmic axes, beside a straight one."""

from collections.abc import Sequence
from pathlib import Path

from deployments.bench.growth.slopes import Growth

_ACROSS = 3


def draw(lines: Sequence[Growth], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    down = -(-len(lines) // _ACROSS)
    figure, axes = plt.subplots(
        down, _ACROSS, figsize=(4 * _ACROSS, 3 * down), layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(lines) :]:
        axis.set_visible(False)
    for axis, line in zip(axes.flat, lines, strict=False):
        sizes = [point.size for point in line.points]
        axis.loglog(sizes, [point.seconds for point in line.points], "o-")
        first = line.points[0]
        axis.loglog(sizes, [first.seconds * size / first.size for size in sizes], "--", color="#8c959f")
        for point in line.points:
            axis.loglog([point.size] * len(point.runs), point.runs, "_", color="#1a7f37")
        axis.set_title(f"{line.name} (exponent {line.exponent:.2f})", fontsize=9)
        axis.set_xlabel(line.unit, fontsize=8)
        axis.set_ylabel("seconds", fontsize=8)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
    plt.close(figure)
