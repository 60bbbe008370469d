// Whom the two sides of `mnet bench --tls` believe: an authority and a server's certificate, made for one run. They are in memory only; the server
// process reads them through /proc/PID/fd (proc(5)), and they end with this process, however that ends.
#pragma once
#include "base/unique_fd.hpp"

#include <string>
#include <string_view>

namespace mnet::tool {

class bench_certificates {
public:
    /// Throws failure_exit.
    bench_certificates();

    /// Paths of PEM files, for processes of the same user as long as the object lives.
    const std::string& authority() const noexcept { return authority_.path; }
    const std::string& server() const noexcept { return server_.path; }
    const std::string& server_key() const noexcept { return server_key_.path; }

private:
    struct file {
        base::unique_fd descriptor{};
        std::string path{};
    };
    static file file_with(std::string_view text);

    file authority_{};
    file server_{};
    file server_key_{};
};

}  // namespace mnet::tool
