# bfloat16 tensors through DLPack, which NumPy's own reader refuses. Part of _core.pyx.

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_SetName

cdef extern from *:
    """
    /* The part of dlpack.h (version 0) that is used here. */
    typedef struct { int32_t type, id; } vb_dl_device;
    typedef struct { uint8_t code, bits; uint16_t lanes; } vb_dl_type;
    typedef struct {
        void *data;
        vb_dl_device device;
        int32_t ndim;
        vb_dl_type dtype;
        int64_t *shape, *strides; /* in elements; strides may be NULL: rows one after the other */
        uint64_t byte_offset;
    } vb_dl_tensor;
    typedef struct vb_dl_managed {
        vb_dl_tensor tensor;
        void *context;
        void (*deleter)(struct vb_dl_managed *);
    } vb_dl_managed;
    """
    ctypedef struct vb_dl_device:
        int32_t type
    ctypedef struct vb_dl_type:
        uint8_t code, bits
        uint16_t lanes
    ctypedef struct vb_dl_tensor:
        void *data
        vb_dl_device device
        int32_t ndim
        vb_dl_type dtype
        int64_t *shape
        int64_t *strides
        uint64_t byte_offset
    ctypedef struct vb_dl_managed:
        vb_dl_tensor tensor
        void (*deleter)(vb_dl_managed *) noexcept

cdef enum:
    DL_CPU = 1
    DL_BFLOAT = 4


cdef class Tensor:
    """Keeps a tensor's memory for the array that shows it."""
    cdef vb_dl_managed *managed

    def __dealloc__(self):
        if self.managed is not NULL and self.managed.deleter is not NULL:
            self.managed.deleter(self.managed)


def bfloat16_from_dlpack(capsule):
    """The tensor of a capsule as a read-only array of BFLOAT16 over the same memory; None if it is none in CPU memory."""
    cdef cnp.npy_intp shape[MAX_DIMS]
    cdef cnp.npy_intp strides[MAX_DIMS]
    cdef cnp.npy_intp stride = 2
    cdef vb_dl_managed *managed
    cdef Tensor owner
    cdef cnp.ndarray array
    cdef int axis
    if not PyCapsule_IsValid(capsule, "dltensor"):
        return None
    managed = <vb_dl_managed *>PyCapsule_GetPointer(capsule, "dltensor")
    tensor = &managed.tensor
    if (tensor.dtype.code != DL_BFLOAT or tensor.dtype.bits != 16 or tensor.dtype.lanes != 1
            or tensor.device.type != DL_CPU or not 0 <= tensor.ndim <= MAX_DIMS):
        return None
    for axis in reversed(range(tensor.ndim)):
        shape[axis] = tensor.shape[axis]
        strides[axis] = stride if tensor.strides is NULL else 2 * tensor.strides[axis]
        stride *= tensor.shape[axis]
    owner = Tensor()
    owner.managed = managed
    PyCapsule_SetName(capsule, "used_dltensor")
    array = cnp.PyArray_New(np.ndarray, tensor.ndim, shape, cnp.NPY_UINT16, strides,
                            <char *>tensor.data + tensor.byte_offset, 2, 0, None)
    cnp.set_array_base(array, owner)
    return array.view(BFLOAT16)

