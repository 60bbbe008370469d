// The tool `mnet`: reads its command line, runs the command, and turns what went wrong into one line and an exit code.
#include "bench.hpp"
#include "cert.hpp"
#include "command_line.hpp"
#include "failure.hpp"
#include "process.hpp"
#include "send.hpp"
#include "serve.hpp"

#include <exception>

namespace mnet::tool {

namespace {

exit_code run(const serve_options& options) { return run_serve(options); }
exit_code run(const send_options& options) { return run_send(options); }
exit_code run(const bench_options& options) { return run_bench(options); }
exit_code run(const cert_options& options) { return run_cert(options); }

exit_code run_command_line(int argument_count, const char* const* arguments) {
    const auto command = parse_command_line(argument_count, arguments);
    if (!command) return command.error();
    return std::visit([](const auto& options) { return run(options); }, *command);
}

}  // namespace

}  // namespace mnet::tool

int main(int argument_count, char** arguments) {
    using namespace mnet::tool;
    try {
        return static_cast<int>(run_command_line(argument_count, arguments));
    } catch (const failure_exit& failure) {
        print_error(failure.what());
        return static_cast<int>(failure.code());
    } catch (const std::exception& failure) {
        print_error(failure.what());
        return static_cast<int>(exit_code::lost);
    }
}
