/* The operations this server tells apart: for faults, counters and permissions. */
#ifndef BLOBSERVER_OPS_H
#define BLOBSERVER_OPS_H

enum bs_op {
    OP_PUT_BLOB,
    OP_PUT_BLOCK,
    OP_PUT_BLOCK_LIST,
    OP_GET_BLOCK_LIST,
    OP_GET_BLOB,
    OP_HEAD_BLOB,
    OP_DELETE_BLOB,
    OP_LIST_BLOBS,
    OP_GET_CONTAINER,
    OP_CREATE_CONTAINER,
    OP_IDENTITY,
    OP_OTHER,
    OP_COUNT
};

/* "PutBlock", ... as scenario lines and counters spell it. */
const char *bs_op_name(enum bs_op op);

#endif
