"""Why a line or a file could not be read."""

from enum import StrEnum


class Problem(StrEnum):
    """Why a line could not be read; the sentences are in ``jobs.cleaning.reject_reasons``."""

    NOT_JSON = "line.not_json"
    NOT_UTF8 = "line.not_utf8"
    WRONG_ENCODING = "line.wrong_encoding"
    TOO_LONG = "line.too_long"
    WRONG_FIELDS = "line.wrong_fields"
    BROKEN_QUOTES = "line.broken_quotes"
    HEADER_AGAIN = "line.header_again"
    NO_HEADER = "line.no_header"
    COMMENT = "source.comment"
    NO_MATCH = "line.no_match"
    FAULT = "line.fault"
    AMBIGUOUS_ID = "line.ambiguous_id"
    REPEATED_NAME = "line.repeated_name"
    DAMAGED = "row.damaged"
    EMPTY = "file.empty"
    TRUNCATED = "file.truncated"
    TRAILING = "file.trailing_data"
    CHECKSUM = "file.checksum"
    UNREADABLE = "file.unreadable"
    UTF16 = "file.utf16"
    UNKNOWN_COMPRESSION = "file.unknown_compression"
    TOO_LARGE = "file.too_large"
    BAD_NAME = "file.bad_name"
    NOT_A_FILE = "file.not_a_file"
    OUTSIDE = "file.outside"
