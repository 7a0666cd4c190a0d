#include "errors.h"

static const struct bs_error_row rows[BS_ERROR_COUNT] = {
    [BS_OK] = { 200, "", "" },
    [BS_CONTAINER_NOT_FOUND] = { 404, "ContainerNotFound",
                                 "The specified container does not exist." },
    [BS_CONTAINER_EXISTS] = { 409, "ContainerAlreadyExists",
                              "The specified container already exists." },
    [BS_BLOB_NOT_FOUND] = { 404, "BlobNotFound", "The specified blob does not exist." },
    [BS_BLOB_EXISTS] = { 409, "BlobAlreadyExists", "The specified blob already exists." },
    [BS_CONDITION_NOT_MET] = { 412, "ConditionNotMet",
                               "The condition specified using HTTP conditional header(s) is not "
                               "met." },
    [BS_IMMUTABLE] = { 409, "BlobImmutableDueToPolicy",
                       "This operation is not permitted as the blob is immutable due to a "
                       "policy." },
    [BS_INVALID_BLOCK_ID] = { 400, "InvalidQueryParameterValue",
                              "The block id is not valid Base64 of at most 64 bytes." },
    [BS_INVALID_BLOCK_LIST] = { 400, "InvalidBlockList", "The specified block list is invalid." },
    [BS_INVALID_ID_LENGTH] = { 400, "InvalidBlobOrBlock",
                               "The specified blob or block content is invalid." },
    [BS_INVALID_RANGE] = { 416, "InvalidRange",
                           "The range specified is invalid for the current size of the "
                           "resource." },
    [BS_INVALID_QUERY] = { 400, "InvalidQueryParameterValue",
                           "Value for one of the query parameters specified in the request URI "
                           "is invalid." },
    [BS_INVALID_HEADER] = { 400, "InvalidHeaderValue",
                            "The value for one of the HTTP headers is not in the correct "
                            "format." },
    [BS_INVALID_URI] = { 400, "InvalidUri", "The request URI is invalid." },
    [BS_INVALID_XML] = { 400, "InvalidXmlDocument", "XML specified is not syntactically valid." },
    [BS_MISSING_LENGTH] = { 411, "MissingContentLengthHeader",
                            "Content-Length HTTP header is missing" },
    [BS_TOO_LARGE] = { 413, "RequestBodyTooLarge",
                       "The request body is too large and exceeds the maximum permissible "
                       "limit." },
    [BS_BLOCK_COUNT] = { 409, "BlockCountExceedsLimit",
                         "The uncommitted block count cannot exceed the maximum limit of 100,000 "
                         "blocks." },
    [BS_NO_AUTH] = { 401, "NoAuthenticationInformation",
                     "Server failed to authenticate the request. Please refer to the information "
                     "in the www-authenticate header." },
    [BS_AUTH_FAILED] = { 403, "AuthenticationFailed",
                         "Server failed to authenticate the request. Make sure the value of "
                         "Authorization header is formed correctly including the signature." },
    [BS_AUTH_TIME] = { 403, "AuthenticationFailed",
                       "Server failed to authenticate the request. Signature not valid in the "
                       "specified time frame." },
    [BS_AUTH_PERMISSION] = { 403, "AuthorizationPermissionMismatch",
                             "This request is not authorized to perform this operation using this "
                             "permission." },
    [BS_AUTH_PROTOCOL] = { 403, "AuthorizationProtocolMismatch",
                           "This request is not authorized to perform this operation using this "
                           "protocol." },
    [BS_AUTH_RESOURCE] = { 403, "AuthorizationResourceTypeMismatch",
                           "This request is not authorized to perform this operation using this "
                           "resource type." },
    [BS_DIRECTORY_NOT_EMPTY] = { 409, "DirectoryIsNotEmpty",
                                 "This operation is not permitted on a non-empty directory." },
    [BS_UNSUPPORTED] = { 400, "UnsupportedHttpVerb",
                         "The resource doesn't support the specified Http Verb." },
};

const struct bs_error_row *bs_error_row(enum bs_error e)
{
    return &rows[e];
}
