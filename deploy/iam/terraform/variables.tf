variable "trust_policy" {
  description = "What `keysweep iam scan --trust HUB_ARN` prints: both roles trust the same. It holds the external ID."
  type        = string
}

variable "scan_policy" {
  description = "What `keysweep iam scan` prints."
  type        = string
}

variable "enforce_policy" {
  description = "What `keysweep iam enforce` prints; null as long as no changes are wanted."
  type        = string
  default     = null
}

variable "quarantine_policy" {
  description = "What `keysweep iam quarantine` prints; null as long as no quarantine is wanted, or with AWSDenyAll."
  type        = string
  default     = null
}

variable "quarantine_policy_name" {
  description = "Name of the managed policy, as in evidence.quarantine_policy."
  type        = string
  default     = "keysweep-quarantine-ask-security"
}

variable "path" {
  description = "Path of both roles, as in role.scan and role.enforce."
  type        = string
  default     = "/keysweep/"
}

variable "scan_role" {
  description = "Name of the role that scans."
  type        = string
  default     = "KeysweepScan"
}

variable "enforce_role" {
  description = "Name of the role that changes keys."
  type        = string
  default     = "KeysweepEnforce"
}
