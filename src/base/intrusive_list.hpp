// A list whose links live in its elements: no allocation, and an element leaves in constant time without knowing its list.
//
// Circular and doubly linked. The list owns nothing: an element that dies takes itself out, a list that dies lets its elements go.
// An element derives from `list_hook<Tag>` once for every list that it can be in at the same time.
#pragma once
#include "base/assert.hpp"

#include <iterator>
#include <type_traits>
#include <utility>

namespace mnet::inline v1::base {

template <typename T, typename Tag>
class intrusive_list;

template <typename Tag = void>
class list_hook {
public:
    list_hook() noexcept = default;
    list_hook(const list_hook&) = delete;
    list_hook& operator=(const list_hook&) = delete;
    ~list_hook() { unlink(); }

    bool linked() const noexcept { return next_ != nullptr; }

    /// Leaves the list it is in, if any.
    void unlink() noexcept {
        if (!linked()) return;
        MNET_ASSERT(previous_->next_ == this && next_->previous_ == this, "the neighbours of a linked element point back at it");
        previous_->next_ = next_;
        next_->previous_ = previous_;
        previous_ = next_ = nullptr;
    }

private:
    template <typename T, typename ListTag>
    friend class intrusive_list;

    void link_before(list_hook& position) noexcept {
        MNET_ASSERT(!linked(), "an element is in one list of a tag at a time");
        previous_ = position.previous_;
        next_ = &position;
        previous_->next_ = this;
        position.previous_ = this;
    }

    list_hook* previous_ = nullptr;
    list_hook* next_ = nullptr;
};

/// `T` derives publicly from `list_hook<Tag>`; it may be incomplete where the list is declared.
template <typename T, typename Tag = void>
class intrusive_list {
    using hook = list_hook<Tag>;

    template <typename Element>
    class basic_iterator {
    public:
        using iterator_category = std::bidirectional_iterator_tag;
        using value_type = std::remove_const_t<Element>;
        using difference_type = std::ptrdiff_t;
        using pointer = Element*;
        using reference = Element&;

        basic_iterator() noexcept = default;
        reference operator*() const noexcept { return static_cast<Element&>(*at_); }
        pointer operator->() const noexcept { return &**this; }
        basic_iterator& operator++() noexcept {
            at_ = at_->next_;
            return *this;
        }
        basic_iterator operator++(int) noexcept { return std::exchange(*this, std::next(*this)); }
        basic_iterator& operator--() noexcept {
            at_ = at_->previous_;
            return *this;
        }
        basic_iterator operator--(int) noexcept { return std::exchange(*this, std::prev(*this)); }
        bool operator==(const basic_iterator&) const noexcept = default;

    private:
        friend class intrusive_list;
        using hook_pointer = std::conditional_t<std::is_const_v<Element>, const hook*, hook*>;
        explicit basic_iterator(hook_pointer at) noexcept : at_(at) {}
        hook_pointer at_ = nullptr;
    };

public:
    /// Stays valid while its element stays in the list: step on before you erase.
    using iterator = basic_iterator<T>;
    using const_iterator = basic_iterator<const T>;

    intrusive_list() noexcept { make_empty(); }
    intrusive_list(intrusive_list&& other) noexcept : intrusive_list() { splice_back(other); }
    intrusive_list& operator=(intrusive_list&& other) noexcept {
        if (this == &other) return *this;
        clear();
        splice_back(other);
        return *this;
    }
    ~intrusive_list() {
        clear();
        head_.previous_ = head_.next_ = nullptr;  // so that the hook of the head does not take itself for an element
    }

    bool empty() const noexcept { return head_.next_ == &head_; }

    /// The first element, or nullptr.
    T* front() noexcept { return empty() ? nullptr : static_cast<T*>(head_.next_); }

    void push_back(T& element) noexcept { static_cast<hook&>(element).link_before(head_); }
    void push_front(T& element) noexcept { static_cast<hook&>(element).link_before(*head_.next_); }

    /// Takes the first element out; nullptr when there is none.
    T* pop_front() noexcept {
        T* const first = front();
        if (first != nullptr) static_cast<hook*>(first)->unlink();
        return first;
    }

    /// `element` is in this list (asserted: it is in one).
    void erase(T& element) noexcept {
        MNET_ASSERT(static_cast<hook&>(element).linked(), "only an element that is in a list is erased from it");
        static_cast<hook&>(element).unlink();
    }

    /// Lets all elements go.
    void clear() noexcept {
        while (pop_front() != nullptr) {
        }
    }

    /// All elements of `other` move behind those of this list, in their order, in constant time.
    void splice_back(intrusive_list& other) noexcept {
        MNET_ASSERT(this != &other, "a list is not spliced into itself");
        if (other.empty()) return;
        hook* const first = other.head_.next_;
        hook* const last = other.head_.previous_;
        other.make_empty();
        first->previous_ = head_.previous_;
        last->next_ = &head_;
        head_.previous_->next_ = first;
        head_.previous_ = last;
    }

    /// `element`, of this list, becomes the first; those before it follow behind the last, in their order.
    void rotate_to(T& element) noexcept {
        hook& first = element;
        if (first.previous_ == &head_) return;
        head_.previous_->next_ = head_.next_;
        head_.next_->previous_ = head_.previous_;
        head_.previous_ = first.previous_;
        head_.next_ = &first;
        head_.previous_->next_ = &head_;
        first.previous_ = &head_;
    }

    /// All elements, in a list of their own; this one is empty afterwards. For loops whose body adds to the list again.
    [[nodiscard]] intrusive_list take_all() noexcept { return std::move(*this); }

    iterator begin() noexcept { return iterator(head_.next_); }
    iterator end() noexcept { return iterator(&head_); }
    const_iterator begin() const noexcept { return const_iterator(head_.next_); }
    const_iterator end() const noexcept { return const_iterator(&head_); }

private:
    void make_empty() noexcept { head_.previous_ = head_.next_ = &head_; }

    hook head_;
};

}  // namespace mnet::inline v1::base
