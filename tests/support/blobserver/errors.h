/* The refusals of the Azure Blob service that this server knows: status, code and message. */
#ifndef BLOBSERVER_ERRORS_H
#define BLOBSERVER_ERRORS_H

enum bs_error {
    BS_OK,
    BS_CONTAINER_NOT_FOUND,
    BS_CONTAINER_EXISTS,
    BS_BLOB_NOT_FOUND,
    BS_BLOB_EXISTS,
    BS_CONDITION_NOT_MET,
    BS_IMMUTABLE,
    BS_INVALID_BLOCK_ID,
    BS_INVALID_BLOCK_LIST,
    BS_INVALID_ID_LENGTH,
    BS_INVALID_RANGE,
    BS_INVALID_QUERY,
    BS_INVALID_HEADER,
    BS_INVALID_URI,
    BS_INVALID_XML,
    BS_MISSING_LENGTH,
    BS_TOO_LARGE,
    BS_BLOCK_COUNT,
    BS_NO_AUTH,
    BS_AUTH_FAILED,
    BS_AUTH_TIME,
    BS_AUTH_PERMISSION,
    BS_AUTH_PROTOCOL,
    BS_AUTH_RESOURCE,
    BS_UNSUPPORTED,
    BS_DIRECTORY_NOT_EMPTY,
    BS_ERROR_COUNT
};

struct bs_error_row {
    int status;
    const char *code, *message;
};

const struct bs_error_row *bs_error_row(enum bs_error e);

#endif
