"""A log that keeps its lines, and the end of a process, for tests of fits that are cut off."""


class Killed(Exception):
    """Stands for the end of the process."""


class Lines:
    """A FitLog that keeps its lines, and kills the fit after some lines if asked to."""

    def __init__(self, last=None):
        self.started, self.metrics, self.last = [], [], last

    def start(self, epoch):
        self.started.append(epoch)

    def write(self, metrics):
        self.metrics.append(metrics)
        if len(self.metrics) == self.last:
            raise Killed
