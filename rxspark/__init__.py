"""rxspark: rxExec for PySpark, in the manner of RevoScaleR.

>>> from rxspark import rxElemArg, rxExec
>>> rxExec(pow, rxElemArg(range(4)), 2)
[0, 1, 4, 9]
"""

from rxspark.analysis.glm import rxGlm
from rxspark.analysis.kmeans import rxKmeans
from rxspark.backends.spark.application import rxSparkConnect, rxSparkDisconnect
from rxspark.calls.elements import rxElemArg
from rxspark.contexts import (
    ComputeContext,
    RxForeachDoPar,
    RxLocalParallel,
    RxLocalSeq,
    RxSpark,
    rxGetComputeContext,
    rxSetComputeContext,
)
from rxspark.errors import (
    RxArgumentError,
    RxCanceledError,
    RxCombineError,
    RxContextError,
    RxError,
    RxFileError,
    RxJobError,
    RxLostTaskError,
    RxMissingError,
    RxModelWarning,
    RxShippingError,
    RxSizeWarning,
    RxTaskError,
    RxTaskWarning,
    RxTimeLimitError,
)
from rxspark.execute import rxExec
from rxspark.files.listing import RxFile, RxFiles
from rxspark.groups.api import rxExecBy
from rxspark.hadoop import (
    rxHadoopCopy,
    rxHadoopCopyFromLocal,
    rxHadoopCopyToLocal,
    rxHadoopFileExists,
    rxHadoopListFiles,
    rxHadoopMakeDir,
    rxHadoopMove,
    rxHadoopRemove,
    rxHadoopRemoveDir,
)
from rxspark.jobs.api import (
    rxCancelJob,
    rxCleanupJobs,
    rxGetJobInfo,
    rxGetJobOutput,
    rxGetJobResults,
    rxGetJobStatus,
    rxResumeJob,
    rxWaitForJob,
)
from rxspark.jobs.lookup import rxGetJobs
from rxspark.jobs.rxjob import RxJob, RxJobs
from rxspark.jobs.watch import rxWatchJobs
from rxspark.nodes import rxGetNodeInfo, rxPingNodes
from rxspark.options import rxGetOption, rxOptions
from rxspark.plots.lineplot import rxLinePlot
from rxspark.results import RxCombined, RxGroupResults, RxNotFinished, RxResults
from rxspark.results.timings import RxTimings
from rxspark.rng.api import RxStream, rxRngDelStream, rxRngGetStream, rxRngNewStream, rxRngSetStream
from rxspark.serialize.share import rxShare
from rxspark.worker.current_task import rxRemoteGetId
from rxspark.worker.threads import setMKLthreads

__version__ = "0.1.0"

__all__ = [
    "ComputeContext",
    "RxArgumentError",
    "RxCanceledError",
    "RxCombineError",
    "RxCombined",
    "RxContextError",
    "RxError",
    "RxFile",
    "RxFileError",
    "RxFiles",
    "RxForeachDoPar",
    "RxGroupResults",
    "RxJob",
    "RxJobError",
    "RxJobs",
    "RxLocalParallel",
    "RxLocalSeq",
    "RxLostTaskError",
    "RxMissingError",
    "RxModelWarning",
    "RxNotFinished",
    "RxResults",
    "RxShippingError",
    "RxSizeWarning",
    "RxSpark",
    "RxStream",
    "RxTaskError",
    "RxTaskWarning",
    "RxTimeLimitError",
    "RxTimings",
    "rxCancelJob",
    "rxCleanupJobs",
    "rxElemArg",
    "rxExec",
    "rxExecBy",
    "rxGetComputeContext",
    "rxGetJobInfo",
    "rxGetJobOutput",
    "rxGetJobResults",
    "rxGetJobStatus",
    "rxGetJobs",
    "rxGetNodeInfo",
    "rxGetOption",
    "rxGlm",
    "rxHadoopCopy",
    "rxHadoopCopyFromLocal",
    "rxHadoopCopyToLocal",
    "rxHadoopFileExists",
    "rxHadoopListFiles",
    "rxHadoopMakeDir",
    "rxHadoopMove",
    "rxHadoopRemove",
    "rxHadoopRemoveDir",
    "rxKmeans",
    "rxLinePlot",
    "rxOptions",
    "rxPingNodes",
    "rxRemoteGetId",
    "rxResumeJob",
    "rxRngDelStream",
    "rxRngGetStream",
    "rxRngNewStream",
    "rxRngSetStream",
    "rxSetComputeContext",
    "rxShare",
    "rxSparkConnect",
    "rxSparkDisconnect",
    "rxWaitForJob",
    "rxWatchJobs",
    "setMKLthreads",
]
