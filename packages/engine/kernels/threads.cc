#include "threads.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace metaapo {
namespace {

struct Job {
  Task task;
  const void* context;
  int64_t tasks;
  std::atomic<int64_t> next{0};
};

void work(Job& job) {
  for (int64_t task; (task = job.next.fetch_add(1)) < job.tasks;) job.task(job.context, task);
}

// The threads wait until there is a job, and take part in it. They are never joined: they live as long as the process.
class Pool {
 public:
  explicit Pool(int helpers) {
    for (int i = 0; i < helpers; i++) std::thread([this] { help(); }).detach();
  }

  bool run(Job& job) {
    std::unique_lock<std::mutex> turn(busy_, std::try_to_lock);
    if (!turn.owns_lock()) return false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = &job;
    }
    wake_.notify_all();
    work(job);
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = nullptr;
    done_.wait(lock, [this] { return working_ == 0; });
    return true;
  }

 private:
  void help() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (Job* last = nullptr;;) {
      wake_.wait(lock, [&] { return job_ != nullptr && job_->next.load() < job_->tasks; });
      last = job_;
      working_++;
      lock.unlock();
      work(*last);
      lock.lock();
      if (--working_ == 0) done_.notify_one();
    }
  }

  std::mutex busy_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  Job* job_ = nullptr;
  int working_ = 0;
};

int count_threads() {
  const char* wished = std::getenv("TF_NUM_INTRAOP_THREADS");
  int count = wished == nullptr ? 0 : std::atoi(wished);
  if (count <= 0) count = static_cast<int>(std::thread::hardware_concurrency());
  return count < 1 ? 1 : count > 256 ? 256 : count;
}

std::atomic<int> limit{256};

constexpr size_t kKeptBytes = size_t{8} << 20;

struct Scratch {
  void* memory = nullptr;
  size_t size = 0;
  ~Scratch() { std::free(memory); }
};

}  // namespace

int thread_count() {
  static const int count = count_threads();
  return count;
}

void limit_threads(int count) { limit.store(count); }

void run_tasks(int64_t tasks, Task task, const void* context) {
  Job job{task, context, tasks};
  if (tasks > 1 && thread_count() > 1 && limit.load(std::memory_order_relaxed) > 1) {
    static Pool* const pool = new Pool(thread_count() - 1);
    if (pool->run(job)) return;
  }
  work(job);
}

void* scratch(std::size_t bytes) {
  thread_local Scratch own;
  const size_t rounded = (bytes + 4095) / 4096 * 4096;
  if (own.size >= rounded && (own.size <= kKeptBytes || own.size / 2 <= rounded)) return own.memory;
  std::free(own.memory);
  own.memory = std::aligned_alloc(64, rounded);
  own.size = own.memory == nullptr ? 0 : rounded;
  return own.memory;
}

}  // namespace metaapo
