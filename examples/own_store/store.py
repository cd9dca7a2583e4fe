"""A session store of one's own: here the one in memory, with a list of what happened."""

from flask_jwt_extended.stores.memory import MemoryStore


class DiaryStore(MemoryStore):
    def __init__(self):
        super().__init__()
        self.diary = []

    def add(self, record):
        super().add(record)
        self.diary.append(f"{record.session_id} began")

    def end(self, session_id, *args, **kwargs):
        ended = super().end(session_id, *args, **kwargs)
        if ended:
            self.diary.append(f"{session_id} ended")
        return ended
