"""Transports that write down what they carry, and that lose something."""

from mlrtma_dist.parallel.transport import Pending, Transport


class Recording(Transport):
    """Writes the kind and size of everything collective into ``log``, whoever the neighbours are."""

    @classmethod
    def into(cls, log):
        """A transport class that writes into ``log``."""
        return type("Recording", (cls,), {"log": log})

    def post(self, letters, like):
        self.log.append(["post", list(like.shape[:2])])
        return super().post(letters, like)

    def sum(self, tensor):
        self.log.append(["sum", list(tensor.shape)])
        return super().sum(tensor)

    def collect(self, tensor):
        self.log.append(["collect", list(tensor.shape[:2])])
        return super().collect(tensor)


class _Lost(Pending):
    def finish(self):
        return {key: tensor.zero_() for key, tensor in super().finish().items()}


def forgetful(number):
    """A transport class that loses the ``number``-th exchange of points it is asked for."""

    class Forgetful(Transport):
        count = 0

        def post(self, letters, like):
            pending = super().post(letters, like)
            type(self).count += 1
            lost = type(self).count == number
            return _Lost(pending.works, pending.arrivals, pending.departures) if lost else pending

    return Forgetful
