# Arrow's C data interface: arrays of any Arrow library, without one. Part of _core.pyx; _rows/arrow.py reads what this takes.
# Layouts: https://arrow.apache.org/docs/format/CDataInterface.html and CStreamInterface.html.

cdef extern from *:
    """
    typedef struct vb_arrow_schema {
        const char *format, *name, *metadata;
        int64_t flags, n_children;
        struct vb_arrow_schema **children, *dictionary;
        void (*release)(struct vb_arrow_schema *);
        void *private_data;
    } vb_arrow_schema;
    typedef struct vb_arrow_array {
        int64_t length, null_count, offset, n_buffers, n_children;
        const void **buffers;
        struct vb_arrow_array **children, *dictionary;
        void (*release)(struct vb_arrow_array *);
        void *private_data;
    } vb_arrow_array;
    typedef struct vb_arrow_stream {
        int (*get_schema)(struct vb_arrow_stream *, vb_arrow_schema *);
        int (*get_next)(struct vb_arrow_stream *, vb_arrow_array *);
        const char *(*get_last_error)(struct vb_arrow_stream *);
        void (*release)(struct vb_arrow_stream *);
        void *private_data;
    } vb_arrow_stream;
    """
    ctypedef struct vb_arrow_schema:
        const char *format
        const char *name
        int64_t n_children
        vb_arrow_schema **children
        vb_arrow_schema *dictionary
        void (*release)(vb_arrow_schema *) noexcept
    ctypedef struct vb_arrow_array:
        int64_t length, null_count, offset, n_buffers, n_children
        const void **buffers
        vb_arrow_array **children
        vb_arrow_array *dictionary
        void (*release)(vb_arrow_array *) noexcept
    ctypedef struct vb_arrow_stream:
        int (*get_schema)(vb_arrow_stream *, vb_arrow_schema *) noexcept
        int (*get_next)(vb_arrow_stream *, vb_arrow_array *) noexcept
        const char *(*get_last_error)(vb_arrow_stream *) noexcept


cdef class ArrowOwner:
    """Keeps an array's memory for what shows it."""
    cdef vb_arrow_array array

    def __dealloc__(self):
        if self.array.release is not NULL:
            self.array.release(&self.array)


cdef tuple arrow_type(const vb_arrow_schema *schema):
    """
    (format, types of the children, name).

    Numbers of the entries of a dictionary have a form of their own, for they are no values; its children are the types of
    these numbers and of the entries.
    """
    form = schema.format.decode()
    name = "" if schema.name is NULL else schema.name.decode("utf-8", "replace")
    if schema.dictionary is not NULL:
        return "dictionary", ((form, (), ""), arrow_type(schema.dictionary)), name
    return form, tuple([arrow_type(schema.children[i]) for i in range(schema.n_children)]), name


cdef tuple arrow_node(const vb_arrow_array *array):
    """(length, missing or -1, offset, addresses of the buffers, children: of a dictionary the entries)."""
    children = [arrow_node(array.children[i]) for i in range(array.n_children)]
    if array.dictionary is not NULL:
        children = [arrow_node(array.dictionary)]
    return (array.length, array.null_count, array.offset,
            tuple([<size_t>array.buffers[i] for i in range(array.n_buffers)]), tuple(children))


def arrow_array(schema, array):
    """What __arrow_c_array__ returned: the type, and a list of one (owner, node)."""
    cdef ArrowOwner owner = ArrowOwner()
    cdef const vb_arrow_schema *kind = <vb_arrow_schema *>PyCapsule_GetPointer(schema, "arrow_schema")
    cdef vb_arrow_array *source = <vb_arrow_array *>PyCapsule_GetPointer(array, "arrow_array")
    if kind.release is NULL or source.release is NULL:
        raise ValueError("the Arrow array was read before")
    owner.array = source[0]
    source.release = NULL
    return arrow_type(kind), [(owner, arrow_node(&owner.array))]


def arrow_stream(capsule):
    """What __arrow_c_stream__ returned: the type, and a list of (owner, node)."""
    cdef vb_arrow_stream *stream = <vb_arrow_stream *>PyCapsule_GetPointer(capsule, "arrow_array_stream")
    cdef vb_arrow_schema schema
    cdef ArrowOwner owner
    if stream.get_schema(stream, &schema):
        raise ValueError(arrow_failure(stream))
    try:
        kind = arrow_type(&schema)
    finally:
        if schema.release is not NULL:
            schema.release(&schema)
    chunks = []
    while True:
        owner = ArrowOwner()
        if stream.get_next(stream, &owner.array):
            owner.array.release = NULL
            raise ValueError(arrow_failure(stream))
        if owner.array.release is NULL:
            return kind, chunks
        chunks.append((owner, arrow_node(&owner.array)))


cdef str arrow_failure(vb_arrow_stream *stream):
    cdef const char *message = stream.get_last_error(stream)
    return "the Arrow stream failed" if message is NULL else message.decode("utf-8", "replace")


def arrow_memory(size_t address, size_t count, dtype, owner):
    """`count` elements at an address, which the owner keeps, read-only."""
    cdef cnp.npy_intp size = count * <size_t>dtype.itemsize
    cdef cnp.ndarray array
    if count == 0 or address == 0:
        return np.empty(0, dtype)
    array = cnp.PyArray_New(np.ndarray, 1, &size, cnp.NPY_UINT8, NULL, <char *>address, 1, 0, None)
    cnp.set_array_base(array, owner)
    return array.view(dtype)
