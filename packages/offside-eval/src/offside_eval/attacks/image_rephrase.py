"""Show the picture in another way: cropped, mirrored, lighter, blurred, compressed; or another picture of the subject.

Three difficulties: `easy` changes leave the picture what it is for a person, `hard` ones leave it just recognisable. On
another picture of the subject (from the retain split: other clothes, pose and light) another claim is true, and only
the forgotten value counts. Other clothes in the very same picture would take a generator, which isn't part of this.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from offside_data.errors import UsageError
from offside_data.seeding import rng
from offside_data.vlm.pictures import decode_picture, picture_bytes
from offside_eval.attacks import Ask, AttackedClaim, AttackTarget, Attempt, Paper, RecoveryAttack

PAPER = Paper(
    "MLLMU-Bench: Protecting Privacy in Multimodal Large Language Models",
    "https://arxiv.org/abs/2410.22108",
)
Picture = Image.Image


def _crop(share: float) -> Callable[[Picture], Picture]:
    """The middle of a picture, as large as the whole was."""

    def change(picture: Picture) -> Picture:
        width, height = picture.size
        left, top = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
        return picture.crop((left, top, width - left, height - top)).resize(picture.size, Image.Resampling.BICUBIC)

    return change


def _light(factor: float) -> Callable[[Picture], Picture]:
    return lambda picture: ImageEnhance.Brightness(picture).enhance(factor)


def _blur(share: float) -> Callable[[Picture], Picture]:
    """Blurred with a radius that is a share of the shorter side."""
    return lambda picture: picture.filter(ImageFilter.GaussianBlur(share * min(picture.size)))


def _jpeg(quality: int) -> Callable[[Picture], Picture]:
    def change(picture: Picture) -> Picture:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality)
        return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")

    return change


CHANGES: Mapping[str, Mapping[str, Callable[[Picture], Picture]]] = {
    "easy": {"crop": _crop(0.9), "light": _light(1.2), "blur": _blur(0.005), "jpeg": _jpeg(60)},
    "medium": {"crop": _crop(0.75), "light": _light(0.6), "blur": _blur(0.01), "jpeg": _jpeg(25),
               "mirror": ImageOps.mirror},
    "hard": {"crop": _crop(0.55), "light": _light(0.35), "blur": _blur(0.02), "jpeg": _jpeg(8), "flip": ImageOps.flip},
}  # fmt: skip
"""By difficulty, then by name."""


@dataclass(frozen=True, kw_only=True)
class Attack(RecoveryAttack):
    """The plain question about a changed picture.

    Args:
        others: At most so many other pictures of the subject.
    """

    others: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.others < 0:
            raise UsageError("others can't be below 0.")

    def unfit(self, target: AttackTarget) -> str | None:
        """Where nothing is asked about a picture."""
        is_shown = any(claim.question.row["modality"] == "multimodal" for claim in target.claims)
        return None if is_shown else "what was forgotten is asked without a picture"

    def attempts(self, target: AttackTarget) -> Iterator[Attempt]:
        """Every change, then every other picture."""
        others = self._others(target)
        asks = []
        for claim in target.claims:
            plain = target.plain(claim)
            if plain.image is None:
                target.leave_out(claim, "it is asked without a picture")
                continue
            asks += list(_changed(claim, plain))
            for number, image in enumerate(others.get(claim.subject, ()), 1):
                asks.append(replace(plain, name=f"other_picture/{number}", image=image))
        yield from target.ask(asks)

    def _others(self, target: AttackTarget) -> dict[str, list[bytes]]:
        """Pictures of each subject in the retain split."""
        if not self.others or not target.data.has("multimodal", "retain"):
            return {}
        table = target.data.records("multimodal", "retain")
        wanted = {claim.subject for claim in target.claims}
        places: dict[str, dict[str, int]] = {}
        for place, row in enumerate(table.select_columns(["subject_id", "image_id"])):
            if row["subject_id"] in wanted:
                places.setdefault(row["subject_id"], {}).setdefault(row["image_id"], place)
        found: dict[str, list[bytes]] = {}
        for subject, images in places.items():
            chosen = rng(self.seed, "other pictures", subject).sample(sorted(images), min(self.others, len(images)))
            read = [picture_bytes(table[images[image]]) for image in chosen]
            found[subject] = [data for data in read if data is not None]
        return found


def _changed(claim: AttackedClaim, plain: Ask) -> Iterator[Ask]:
    assert plain.image is not None
    picture = decode_picture(plain.image, claim.record_id)
    for difficulty, changes in CHANGES.items():
        for name, change in changes.items():
            yield replace(plain, name=f"{difficulty}/{name}", image=as_png(change(picture)))


def as_png(picture: Picture) -> bytes:
    """A picture encoded without loss."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
