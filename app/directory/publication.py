"""What is published for hosts that answer without a database, in a form that they can believe.

One short document says which files there are, by their checksums, and when they were last known to
say what the database says. It is signed with Ed25519: who holds the public key alone can tell that
nobody altered it, and make none. The files themselves can lie anywhere.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from app.core.postcodes import POSTCODES
from app.core.trouble import Trouble
from app.directory.snapshot import CURRENT, Origin
from app.walking.file import STREETS

NAME = "current"
"""What the document is called where it is published; each file is called by its checksum."""

FILES = (STREETS, POSTCODES, CURRENT)
"""All that the public is answered from, in the order in which a host takes it up: the havens are
tied to the streets."""

LONGEST = 10_000

_PURPOSE = b"havens publication 1\n"

_Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Second = Annotated[int, Field(ge=0, lt=2**40)]


class Refused(Trouble):
    """What is published is not to be believed, or not to be followed."""

    def __str__(self) -> str:
        return f"What is published is not taken: {self.args[0]}"


class PublishedFile(BaseModel):
    """By which a file is known: its SHA-256, and its size in bytes."""

    model_config = ConfigDict(frozen=True, strict=True)

    checksum: _Checksum
    size: Annotated[int, Field(ge=0)]


class Publication(BaseModel):
    """What is published, of which state of which database; instants are seconds since 1970 UTC."""

    model_config = ConfigDict(frozen=True, strict=True)

    database: str
    version: _Second
    generated_at: _Second
    confirmed_at: _Second
    """When the directory was last known to say what the database says."""
    accepted_at: _Second
    """When somebody last said that the database is right, whatever was known of it; 0 for never."""
    files: Mapping[str, PublishedFile]

    def signed(self, key: str) -> bytes:
        """The document: a signature, and what it is for."""
        # Brings all of a library of ciphers, where something is published.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PrivateKey,
        )

        body = self.model_dump_json().encode()
        signature = Ed25519PrivateKey.from_private_bytes(b64decode(key)).sign(_PURPOSE + body)
        return b64encode(signature) + b"\n" + body

    @classmethod
    def read(cls, document: bytes, keys: Iterable[str]) -> Self:
        """What a document says that was signed with one of these keys. Raises `Refused`."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  as above
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PublicKey,
        )

        signature, _, body = document.partition(b"\n")
        for key in keys:
            try:
                public = Ed25519PublicKey.from_public_bytes(b64decode(key))
                public.verify(b64decode(signature, validate=True), _PURPOSE + body)
                return cls.model_validate_json(body)
            except (InvalidSignature, ValueError):
                continue
        raise Refused("it is signed with none of HAVENS_DIRECTORY_KEYS")

    def is_of(self, origin: Origin) -> bool:
        """Whether the directory that is published is the one that was built from this."""
        ours = self.database, self.version, self.generated_at
        return ours == (origin.database, origin.version, origin.generated_at)

    def must_follow(self, known: "Publication") -> None:
        """Raise `Refused` when what is known already is newer, or of another database.

        Only who has the database can say that it is right all the same, and says so in what is
        published from then on.
        """
        if self.accepted_at > known.accepted_at:
            return
        if self.database != known.database:
            raise Refused("it is of another database than what is here")
        if self.version < known.version:
            raise Refused(
                f"it is older than what is here (version {self.version}, and {known.version} was"
                " known)"
            )


def new_keys() -> tuple[str, str]:
    """A private key, and the public one that belongs to it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  as above
        Ed25519PrivateKey,
    )

    private = Ed25519PrivateKey.generate()
    return (
        b64encode(private.private_bytes_raw()).decode(),
        b64encode(private.public_key().public_bytes_raw()).decode(),
    )
