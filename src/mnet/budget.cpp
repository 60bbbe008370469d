// A budget is a shared account, and nothing more.
#include <mnet/budget.hpp>

#include "mnet/unsent_account.hpp"

namespace mnet::inline v1 {

budget::budget(std::size_t unsent_bytes_max) : account_(std::make_shared<detail::unsent_account>(unsent_bytes_max)) {}

std::size_t budget::unsent_bytes_max() const noexcept { return account_->bytes_max(); }

std::uint64_t budget::unsent_bytes() const noexcept { return account_->bytes(); }

}  // namespace mnet::inline v1
