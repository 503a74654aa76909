"""Where things lie in a fetch job's pod.

    /scratch/listing.json   what `look` found
    /scratch/files/         what came in, and what is on its way
    /credentials/           the Secret that the spec names, a file a key
    /claim/                 the PersistentVolumeClaim of a pvc uri

Other folders can be given by environment variables, for tests and for trying a stage by hand.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The three folders."""

    scratch: Path = Path("/scratch")
    credentials: Path = Path("/credentials")
    claim: Path = Path("/claim")

    @classmethod
    def from_environment(cls) -> Workspace:
        """Take SKERRY_SCRATCH_DIR, SKERRY_CREDENTIALS_DIR and SKERRY_CLAIM_DIR where they are set."""
        return cls(
            Path(os.environ.get("SKERRY_SCRATCH_DIR", cls.scratch)),
            Path(os.environ.get("SKERRY_CREDENTIALS_DIR", cls.credentials)),
            Path(os.environ.get("SKERRY_CLAIM_DIR", cls.claim)),
        )

    @property
    def files(self) -> Path:
        """What came in."""
        return self.scratch / "files"
