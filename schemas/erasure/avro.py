"""The bytes inside an Avro file (specification 1.11, object container files), also of one whose writer was killed half-way."""

import zlib

import zstandard

MAGIC = b"Obj\x01"
SYNC_BYTES = 16


def decoded(content: bytes) -> bytes:
    """All blocks of a file on end, uncompressed, as far as they are there; nothing of what is no Avro file."""
    if not content.startswith(MAGIC):
        return b""
    try:
        codec, at = _header(content)
    except IndexError:  # cut off in its header: no record is there
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
    """The codec, and where the first block starts."""
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
    """A number in Avro's variable-length zig-zag coding, and what follows it."""
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
