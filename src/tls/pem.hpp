// PEM files: read whole, and taken apart into certificates, keys and revocation lists. Every problem names the file.
#pragma once
#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "tls/openssl.hpp"
#include "tls/problem.hpp"

namespace mnet::inline v1::tls {

/// A file's text, at most 16 MiB. Errors: what the system says; tls_errc::unreadable_file when it is longer.
outcome<std::string> read_file(const std::string& path);

/// All certificates of a text, at least one. `source` names it in the problem, here and below. Errors: tls_errc::unreadable_file.
outcome<std::vector<certificate_owner>> certificates_in(std::string_view text, const std::string& source);

/// The first private key. Errors: tls_errc::unreadable_file; an encrypted one is no key, and nobody is asked for a password.
outcome<key_owner> key_in(std::string_view text, const std::string& source);

/// Adds all revocation lists of a text, at least one, and has them used. Errors: tls_errc::unreadable_file.
outcome<void> add_revocation_lists(X509_STORE& store, std::string_view text, const std::string& source);

/// What tells a file that was changed, or replaced by another.
struct file_stamp {
    dev_t device = 0;
    ino_t number = 0;
    off_t bytes = 0;
    timespec modified{};
    timespec changed{};

    bool operator==(const file_stamp& other) const noexcept;
};

/// All zero where there is no such file.
file_stamp stamp_of(const std::string& path) noexcept;

}  // namespace mnet::inline v1::tls
