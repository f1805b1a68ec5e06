from __future__ import annotations

import hashlib
import io

from PIL import Image, ImageDraw, ImageEnhance

from offside_data.images.hashing import hamming, hash_image, pixels_sha256


def picture() -> Image.Image:
    image = Image.new("RGB", (90, 60), (240, 240, 240))
    draw = ImageDraw.Draw(image)
    draw.ellipse((10, 8, 60, 50), fill=(200, 30, 40))
    draw.rectangle((50, 30, 85, 58), fill=(20, 40, 160))
    return image


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def test_hashes_of_a_picture() -> None:
    data = encoded(picture(), "PNG")
    hashes = hash_image(data)
    assert (hashes.width, hashes.height) == (90, 60)
    assert hashes.sha256 == hashlib.sha256(data).hexdigest()
    assert len(hashes.phash) == len(hashes.dhash) == 16


def test_another_lossless_encoding_keeps_the_pixel_hash() -> None:
    png, bmp = (hash_image(encoded(picture(), kind)) for kind in ("PNG", "BMP"))
    assert png.sha256 != bmp.sha256
    assert png.pixels_sha256 == bmp.pixels_sha256


def test_the_same_pixels_in_another_shape_are_another_picture() -> None:
    wide, tall = Image.new("RGB", (4, 2)), Image.new("RGB", (2, 4))
    assert pixels_sha256(wide) != pixels_sha256(tall)


def test_a_little_light_moves_perceptual_hashes_little() -> None:
    plain = hash_image(encoded(picture(), "PNG"))
    lighter = hash_image(encoded(ImageEnhance.Brightness(picture()).enhance(0.9), "JPEG"))
    mirrored = hash_image(encoded(picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"))
    assert hamming(plain.phash, lighter.phash) <= 4
    assert hamming(plain.phash, mirrored.phash) > 8


def test_hamming_counts_bits() -> None:
    assert hamming("00000000000000ff", "000000000000000f") == 4
    assert hamming("ffffffffffffffff", "0000000000000000") == 64
