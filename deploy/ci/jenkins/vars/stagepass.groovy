// A step of a shared library. How to use it, and what it signs as: docs/ci/jenkins.md. A key or a token is never an
// argument: withCredentials gives it as STAGEPASS_KEY_FILE, STAGEPASS_KEY or STAGEPASS_IDENTITY_TOKEN_FILE.
def call(Map given) {
    Map variables = [
        image: 'STAGEPASS_IMAGE',               // IMAGE@sha256:... as the build printed it
        predicate: 'STAGEPASS_PREDICATE',       // a file that says how it was built; or give stage
        type: 'STAGEPASS_TYPE',                 // the predicate type of that file, by default SLSA provenance
        stage: 'STAGEPASS_STAGE',               // the stage that was passed; or give predicate
        pipeline: 'STAGEPASS_PIPELINE',         // where several have that stage
        cluster: 'STAGEPASS_CLUSTER',           // the cluster that watched it
        namespace: 'STAGEPASS_NAMESPACE',       // where the stage names several
        release: 'STAGEPASS_RELEASE',           // the release.json of the pass, where the stage requires manifests
        policy: 'STAGEPASS_POLICY',             // a directory of policy files, asked before anything is signed
        evidence: 'STAGEPASS_EVIDENCE',         // where it is stored: registry (the default) or dir:PATH
        trustConfig: 'STAGEPASS_TRUST_CONFIG',  // the configuration of a private Sigstore
        install: 'STAGEPASS_INSTALL',           // a wheel, a directory of wheels, or a requirement
        requirements: 'STAGEPASS_REQUIREMENTS', // with hashes, installed first
    ]
    List environment = []
    for (name in given.keySet()) {
        if (!variables.containsKey(name)) {
            error "stagepass: there is no argument '${name}'"
        }
        environment.add("${variables[name]}=${given[name]}".toString())
    }
    withEnv(environment) {
        sh label: 'Sign', script: libraryResource('dev/stagepass/stagepass-sign.sh')
    }
}
