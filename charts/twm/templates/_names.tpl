{{- define "twm.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "twm.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "twm.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "twm.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects all pods of the release; with `component` those of one process. Never changes over upgrades. */}}
{{- define "twm.selector" -}}
app.kubernetes.io/name: {{ include "twm.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "twm.labels" -}}
{{ include "twm.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: twm
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Image of a process: registry/name:tag, or registry/name@digest where images.digests has one. */}}
{{- define "twm.image" -}}
{{- $images := .root.Values.images -}}
{{- $digest := index $images.digests .image -}}
{{- if $digest -}}
{{- printf "%s/%s@%s" $images.registry .image $digest -}}
{{- else -}}
{{- printf "%s/%s:%s" $images.registry .image (default .root.Chart.AppVersion $images.tag) -}}
{{- end -}}
{{- end -}}

{{- define "twm.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ int64 .Values.podSecurity.runAsUser }}
runAsGroup: {{ int64 .Values.podSecurity.runAsGroup }}
fsGroup: {{ int64 .Values.podSecurity.runAsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "twm.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Whether the gateway may listen beyond loopback: only with tokens checked. */}}
{{- define "twm.gatewayOpen" -}}
{{- if eq .Values.auth.mode "jwt" -}}true{{- end -}}
{{- end -}}

{{- define "twm.redisUrl" -}}
{{- if .Values.redis.bundled.enabled -}}
{{- $credentials := ternary ":$(REDIS_PASSWORD)@" "" (ne .Values.redis.bundled.existingSecret.name "") -}}
redis://{{ $credentials }}{{ include "twm.fullname" . }}-redis:6379/0
{{- else -}}
{{- .Values.redis.external.url -}}
{{- end -}}
{{- end -}}

{{/* ConfigMap and key that hold the network spec; empty where a shipped one is used by name. */}}
{{- define "twm.networkConfigMap" -}}
{{- if .Values.network.existingConfigMap.name -}}
{{- .Values.network.existingConfigMap.name -}}
{{- else if .Values.network.spec -}}
{{- include "twm.fullname" . -}}-network
{{- end -}}
{{- end -}}

{{- define "twm.guardrailConfigMap" -}}
{{- if .Values.guardrail.existingConfigMap.name -}}
{{- .Values.guardrail.existingConfigMap.name -}}
{{- else if .Values.guardrail.rules -}}
{{- include "twm.fullname" . -}}-guardrail
{{- end -}}
{{- end -}}

{{/* Secret with our certificate for mutual TLS to the A1 peer; cert-manager's where it is asked for one. */}}
{{- define "twm.a1ClientSecret" -}}
{{- if .Values.a1.tls.certManager.enabled -}}
{{- default (printf "%s-a1-client" (include "twm.fullname" .)) .Values.a1.tls.clientSecret -}}
{{- else -}}
{{- .Values.a1.tls.clientSecret -}}
{{- end -}}
{{- end -}}

{{/* Things that cannot be right together, said before anything is rendered. */}}
{{- define "twm.check" -}}
{{- $v := .Values -}}
{{- if and (not $v.redis.bundled.enabled) (not $v.redis.external.url) (not $v.redis.external.existingSecret.name) -}}
{{- fail "redis: set redis.bundled.enabled, redis.external.url or redis.external.existingSecret.name" -}}
{{- end -}}
{{- if and $v.redis.bundled.enabled (or $v.redis.external.url $v.redis.external.existingSecret.name) -}}
{{- fail "redis: redis.external is set while redis.bundled.enabled is true; switch one off" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not (include "twm.gatewayOpen" .)) -}}
{{- fail "ingress: needs auth.mode jwt; without tokens the gateway listens on loopback only" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not (include "twm.gatewayOpen" .)) -}}
{{- fail "httpRoute: needs auth.mode jwt; without tokens the gateway listens on loopback only" -}}
{{- end -}}
{{- if and $v.network.spec $v.network.existingConfigMap.name -}}
{{- fail "network: set network.spec or network.existingConfigMap.name, not both" -}}
{{- end -}}
{{- if and $v.network.spec (ne (toString (get $v.network.spec "area_id")) $v.network.areaId) -}}
{{- fail (printf "network.areaId is %q, but network.spec.area_id is %q" $v.network.areaId (toString (get $v.network.spec "area_id"))) -}}
{{- end -}}
{{- if and $v.guardrail.rules $v.guardrail.existingConfigMap.name -}}
{{- fail "guardrail: set guardrail.rules or guardrail.existingConfigMap.name, not both" -}}
{{- end -}}
{{- if and (eq $v.ric.control "none" | not) (ne $v.ric.adapter "oransc") -}}
{{- fail "ric.control: needs ric.adapter oransc" -}}
{{- end -}}
{{- range $name, $process := $v.processes -}}
{{- if and ($process.autoscaling).enabled (and (hasKey $process "keda") ($process.keda).enabled) -}}
{{- fail (printf "processes.%s: autoscaling and keda are both enabled; each would undo the other" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
