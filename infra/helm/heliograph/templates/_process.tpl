{{/* Labels by which a process is found: give a dict of root and name. */}}
{{- define "heliograph.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{/* A deployment of one service: give a dict of root, name and service. */}}
{{- define "heliograph.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $root.Release.Name }}-{{ .name }}
  labels:
    {{- include "heliograph.selector" . | nindent 4 }}
    app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
    app.kubernetes.io/managed-by: {{ $root.Release.Service }}
spec:
  replicas: {{ .service.replicas }}
  selector:
    matchLabels:
      {{- include "heliograph.selector" . | nindent 6 }}
  strategy:
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  template:
    metadata:
      labels:
        {{- include "heliograph.selector" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
      securityContext:
        {{- toYaml $root.Values.podSecurityContext | nindent 8 }}
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: "{{ $root.Values.image.repository }}-{{ .name }}:{{ $root.Values.image.tag }}"
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          env:
            - name: CREDENTIALS_DIRECTORY
              value: /run/heliograph
            {{- if $root.Values.archive.claim }}
            - name: HELIOGRAPH_ARCHIVE_DIR
              value: /var/lib/heliograph/archive
            {{- end }}
            {{- $api := printf "http://%s-ingress:8080" $root.Release.Name }}
            {{- $own := ternary (dict "HELIOGRAPH_API_URL" $api) (dict) (has .name (list "console" "site")) }}
            {{- range $name, $value := merge (dict) (get .service "settings" | default (dict)) $root.Values.settings $own }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
          ports:
            - name: http
              containerPort: 8080
          # A start that waits for its database, or for a rebuild of its read models, is no reason to kill it.
          startupProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 5
            failureThreshold: 180
          livenessProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 10
            timeoutSeconds: 3
          readinessProbe:
            httpGet: { path: /readyz, port: http }
            periodSeconds: 5
            timeoutSeconds: 3
          lifecycle:
            preStop:
              exec:
                command: ["node", "-e", "setTimeout(() => {}, {{ mul 1000 $root.Values.drainPauseSeconds }})"]
          resources:
            {{- toYaml (get .service "resources" | default $root.Values.resources) | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
          volumeMounts:
            - { name: secrets, mountPath: /run/heliograph, readOnly: true }
            - { name: tmp, mountPath: /tmp }
            {{- if $root.Values.archive.claim }}
            - { name: archive, mountPath: /var/lib/heliograph/archive, readOnly: true }
            {{- end }}
      volumes:
        - name: secrets
          secret: { secretName: {{ $root.Values.secret.name }}, defaultMode: 0440 }
        - name: tmp
          emptyDir: { sizeLimit: 256Mi }
        {{- with $root.Values.archive.claim }}
        - name: archive
          persistentVolumeClaim: { claimName: {{ . }} }
        {{- end }}
{{- end -}}
