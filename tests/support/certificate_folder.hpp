// A folder of a test's own with certificates in it.
#pragma once
#include "support/scratch_folder.hpp"

#include <mnet/tls.hpp>
#include <mnet/tls_certificates.hpp>

#include <string>

namespace support {

class certificate_folder : public scratch_folder {
public:
    using scratch_folder::write;

    /// `NAME.pem` and `NAME.key`.
    mnet::tls::certificate_files write(const std::string& name, const mnet::tls::certificates::pair& made) const {
        return {.certificate = write(name + ".pem", made.certificate), .key = write(name + ".key", made.key)};
    }
};

}  // namespace support
