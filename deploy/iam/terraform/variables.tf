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
