#include "host/status.h"

#include "base/utf8.h"

namespace atlas::host {

atlas_status status_of(base::Fault fault) {
  switch (fault) {
    case base::Fault::kArgument:
      return ATLAS_E_ARG;
    case base::Fault::kState:
      return ATLAS_E_STATE;
    case base::Fault::kConflict:
      return ATLAS_E_CONFLICT;
    case base::Fault::kGone:
      return ATLAS_E_GONE;
    case base::Fault::kTimeout:
      return ATLAS_E_TIMEOUT;
    case base::Fault::kFull:
      return ATLAS_E_FULL;
    case base::Fault::kDenied:
      return ATLAS_E_DENIED;
    case base::Fault::kConfig:
      return ATLAS_E_CONFIG;
    case base::Fault::kStopping:
      return ATLAS_E_STOPPING;
    case base::Fault::kInternal:
      return ATLAS_E_INTERNAL;
    case base::Fault::kUnreachable:
      return ATLAS_E_UNREACHABLE;
  }
  return ATLAS_E_INTERNAL;
}

base::Fault fault_of(atlas_status status) {
  switch (status) {
    case ATLAS_E_ARG:
      return base::Fault::kArgument;
    case ATLAS_E_STATE:
      return base::Fault::kState;
    case ATLAS_E_CONFLICT:
      return base::Fault::kConflict;
    case ATLAS_E_GONE:
      return base::Fault::kGone;
    case ATLAS_E_TIMEOUT:
      return base::Fault::kTimeout;
    case ATLAS_E_FULL:
      return base::Fault::kFull;
    case ATLAS_E_DENIED:
      return base::Fault::kDenied;
    case ATLAS_E_CONFIG:
      return base::Fault::kConfig;
    case ATLAS_E_STOPPING:
      return base::Fault::kStopping;
    case ATLAS_E_UNREACHABLE:
      return base::Fault::kUnreachable;
  }
  return base::Fault::kInternal;
}

std::string_view status_text(atlas_status status) {
  switch (status) {
    case ATLAS_OK:
      return "ok";
    case ATLAS_E_ARG:
      return "bad argument";
    case ATLAS_E_STATE:
      return "not allowed now";
    case ATLAS_E_CONFLICT:
      return "conflict";
    case ATLAS_E_GONE:
      return "gone";
    case ATLAS_E_TIMEOUT:
      return "timeout";
    case ATLAS_E_FULL:
      return "full";
    case ATLAS_E_DENIED:
      return "denied";
    case ATLAS_E_CONFIG:
      return "configuration";
    case ATLAS_E_STOPPING:
      return "stopping";
    case ATLAS_E_INTERNAL:
      return "internal error";
    case ATLAS_E_UNREACHABLE:
      return "unreachable";
  }
  return "failed";
}

std::string_view clip(std::string_view text, std::size_t most) {
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t length = base::utf8_length(text.substr(end));
    if (length == 0 || end + length > most) break;
    end += length;
  }
  return text.substr(0, end);
}

}  // namespace atlas::host
