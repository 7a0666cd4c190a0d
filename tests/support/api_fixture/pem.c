#include "support/api_fixture.h"

/* Made once with openssl req -x509; opens nothing but tests. */
const char fixture_cert_pem[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBvTCCAWKgAwIBAgIURwIyTYvJLIwaZSUu7SBUwNRT/cUwCgYIKoZIzj0EAwIw\n"
                                "GzEZMBcGA1UEAwwQaHNtMS5jb2ZmZXIudGVzdDAgFw0yNjExMjEyMTU5MDJaGA8y\n"
                                "MTI2MTAyODIxNTkwMlowGzEZMBcGA1UEAwwQaHNtMS5jb2ZmZXIudGVzdDBZMBMG\n"
                                "ByqGSM49AgEGCCqGSM49AwEHA0IABIDZoGRwV/ozS1IL2/USDQmZR9MbYdpVntt0\n"
                                "MPG9T4nmgXfaRFbvM+hLihERkdhvllotujDfcIKqAQ5hQLykOKWjgYEwfzAdBgNV\n"
                                "HQ4EFgQU/W8PnLMw+QxifV/fUNTLPSV1aLwwHwYDVR0jBBgwFoAU/W8PnLMw+Qxi\n"
                                "fV/fUNTLPSV1aLwwDwYDVR0TAQH/BAUwAwEB/zAsBgNVHREEJTAjghBoc20xLmNv\n"
                                "ZmZlci50ZXN0gglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0EAwIDSQAwRgIhALed\n"
                                "3cuGb2wbRn4dz8wJ/CHH7h5qpmnhYmDIf5Ul2AIYAiEA/5uvDrjN4JAJkujy8/da\n"
                                "wTwI9+6RLmF+izv6b9py9o4=\n"
                                "-----END CERTIFICATE-----\n";

const char fixture_key_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZnVCUUqxxf9HWPyi\n"
                               "Hd6eiVP3VqeQta3+BR3qVRmG2W2hRANCAASA2aBkcFf6M0tSC9v1Eg0JmUfTG2Ha\n"
                               "VZ7bdDDxvU+J5oF32kRW7zPoS4oREZHYb5ZaLbow33CCqgEOYUC8pDil\n"
                               "-----END PRIVATE KEY-----\n";
