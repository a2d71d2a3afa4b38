"""What a projector must know of earlier entries, so that it need not read them again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; where it is empty, the journal is read from its start once more."""
    op.add_column("projections", sa.Column("state", sa.LargeBinary))
