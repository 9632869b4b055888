{{- define "hub.fullname" -}}
{{- if contains "avrop" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-avrop" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "hub.selector" -}}
app.kubernetes.io/name: avrop
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hub.labels" -}}
{{ include "hub.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "hub.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "hub.secret" -}}
{{ if .Values.bundled.enabled }}{{ include "hub.fullname" . }}-bundled{{ else }}{{ .Values.secret.name }}{{ end }}
{{- end }}

{{/* Outside, unless that is said or the chart brings what holds data: then a volume that needs no more than a class,
or the store that is asked for beside it. */}}
{{- define "hub.storageKind" -}}
{{ .Values.storage.kind | default (ternary "file" "s3" (and .Values.bundled.enabled (not .Values.bundled.s3.enabled))) }}
{{- end }}

{{- define "hub.accessMode" -}}
{{ .Values.storage.accessMode | default (ternary "ReadWriteOnce" "ReadWriteMany" .Values.bundled.enabled) }}
{{- end }}

{{/* The name that pods of runs call the hub by: of the Service, within the cluster. */}}
{{- define "hub.webName" -}}
{{ include "hub.fullname" . }}-web.{{ .Release.Namespace }}.svc
{{- end }}

{{- define "hub.cidrs" -}}
{{- range . }}
- ipBlock:
    cidr: {{ . }}
    {{- if eq . "0.0.0.0/0" }}
    except: [169.254.169.254/32]
    {{- else if eq . "::/0" }}
    except: ["fd00:ec2::254/128"]
    {{- end }}
{{- end }}
{{- end }}
{{/* The ports of a rule: of one number, or of several. */}}
{{- define "hub.ports" -}}
{{- range ternary . (list .) (kindIs "slice" .) }}
- {protocol: TCP, port: {{ . }}}
{{- end }}
{{- end }}

{{/* Servers outside by address, and as pods by their namespaces: "cidrs", "namespaces". */}}
{{- define "hub.servers" -}}
{{- include "hub.cidrs" .cidrs }}
{{- range .namespaces }}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ . }}}
{{- end }}
{{- end }}

{{- define "hub.policyHead" -}}
metadata:
  name: {{ include "hub.fullname" .root }}-{{ .name }}
  labels: {{- include "hub.labels" .root | nindent 4 }}
{{- end }}

{{/*
The claims that a StatefulSet makes for each of its pods: "root", "set" (its name), "name", "size", and where they are
asked for "labels" and "storageClass". The API server takes no change of them: of a set that is there they stay as they
were made.
*/}}
{{- define "hub.claims" -}}
{{- $there := (lookup "apps/v1" "StatefulSet" .root.Release.Namespace .set).spec | default dict }}
{{- $meta := dict "name" .name }}{{ with .labels }}{{ $_ := set $meta "labels" . }}{{ end }}
{{- $spec := dict "accessModes" (list "ReadWriteOnce") "resources" (dict "requests" (dict "storage" .size)) }}
{{- with .storageClass }}{{ $_ := set $spec "storageClassName" . }}{{ end }}
{{- range $there.volumeClaimTemplates | default (list (dict "metadata" $meta "spec" $spec)) }}
- metadata: {{- pick .metadata "name" "labels" | toYaml | nindent 4 }}
  spec: {{- .spec | toYaml | nindent 4 }}
{{- end }}
{{- end }}

{{/* A size such as 50Gi in MiB. */}}
{{- define "hub.mebibytes" -}}
{{- mul (regexFind "^[0-9]+" .) (get (dict "Mi" 1 "Gi" 1024 "Ti" 1048576 "Pi" 1073741824) (regexFind "[A-Z]i$" .) | default 0) -}}
{{- end }}
