"""Uncompress Avro files (specification 1.11, object container files), also truncated ones."""

import zlib

import zstandard

MAGIC = b"Obj\x01"
SYNC_BYTES = 16


def decoded(content: bytes) -> bytes:
    """The uncompressed blocks of an Avro file, concatenated, as far as the file goes; empty for other files.

    >>> decoded(b"not an Avro file")
    b''
    """
    if not content.startswith(MAGIC):
        return b""
    try:
        codec, at = _header(content)
    except IndexError:  # truncated in its header: it has no records
        return b""
    blocks = []
    while at < len(content):
        try:
            _, at = _number(content, at)
            size, at = _number(content, at)
        except IndexError:
            break
        blocks.append(_uncompressed(content[at : at + size], codec))
        at += size + SYNC_BYTES
    return b"".join(blocks)


def _header(content: bytes) -> tuple[bytes, int]:
    """The codec, and the offset of the first block."""
    codec, at = b"null", len(MAGIC)
    while True:
        pairs, at = _number(content, at)
        if pairs == 0:
            return codec, at + SYNC_BYTES
        for _ in range(pairs):
            key, at = _bytes(content, at)
            value, at = _bytes(content, at)
            codec = value if key == b"avro.codec" else codec


def _bytes(content: bytes, at: int) -> tuple[bytes, int]:
    size, at = _number(content, at)
    return content[at : at + size], at + size


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number in Avro's variable-length zig-zag encoding, and the offset after it.

    >>> _number(b"\\x03", 0), _number(b"\\xac\\x02", 0)
    ((-2, 1), (150, 2))
    """
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def _uncompressed(block: bytes, codec: bytes) -> bytes:
    match codec:
        case b"deflate":
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(block)
        case b"zstandard":
            return zstandard.ZstdDecompressor().decompressobj().decompress(block)
        case _:
            return block
