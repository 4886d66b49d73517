using System.Collections.Frozen;

namespace KeycloakCreditBridge.Sandbox.Emulator.Events;

/// <summary>The names that Keycloak knows; asking for any other one makes it answer 500.</summary>
internal static class EventTypes
{
    /// <summary>Operations of admin events.</summary>
    public static FrozenSet<string> Operations { get; } = Split("ACTION CREATE DELETE UPDATE").ToFrozenSet();

    /// <summary>Resource types of admin events.</summary>
    public static FrozenSet<string> Resources { get; } = Split("""
        AUTHENTICATOR_CONFIG AUTHORIZATION_POLICY AUTHORIZATION_RESOURCE AUTHORIZATION_RESOURCE_SERVER AUTHORIZATION_SCOPE AUTH_EXECUTION
        AUTH_EXECUTION_FLOW AUTH_FLOW CLIENT CLIENT_INITIAL_ACCESS_MODEL CLIENT_ROLE CLIENT_ROLE_MAPPING CLIENT_SCOPE
        CLIENT_SCOPE_CLIENT_MAPPING CLIENT_SCOPE_MAPPING CLUSTER_NODE COMPONENT CUSTOM GROUP GROUP_MEMBERSHIP IDENTITY_PROVIDER
        IDENTITY_PROVIDER_MAPPER ORGANIZATION ORGANIZATION_MEMBERSHIP PROTOCOL_MAPPER REALM REALM_ROLE REALM_ROLE_MAPPING
        REALM_SCOPE_MAPPING REQUIRED_ACTION REQUIRED_ACTION_CONFIG USER USER_FEDERATION_MAPPER USER_FEDERATION_PROVIDER
        USER_LOGIN_FAILURE USER_PROFILE USER_SESSION
        """).ToFrozenSet();

    /// <summary>Types that a realm stores when its own list is empty, those of older servers first.</summary>
    private static IReadOnlyList<string> OldSavedByDefault { get; } = [.. Split("""
        LOGIN REGISTER LOGOUT CODE_TO_TOKEN CLIENT_LOGIN FEDERATED_IDENTITY_LINK REMOVE_FEDERATED_IDENTITY UPDATE_EMAIL UPDATE_PROFILE
        UPDATE_PASSWORD UPDATE_TOTP VERIFY_EMAIL VERIFY_PROFILE REMOVE_TOTP GRANT_CONSENT UPDATE_CONSENT REVOKE_GRANT SEND_VERIFY_EMAIL
        SEND_RESET_PASSWORD SEND_IDENTITY_PROVIDER_LINK RESET_PASSWORD RESTART_AUTHENTICATION IDENTITY_PROVIDER_LINK_ACCOUNT
        IDENTITY_PROVIDER_LOGIN IDENTITY_PROVIDER_FIRST_LOGIN IDENTITY_PROVIDER_POST_LOGIN IMPERSONATE CUSTOM_REQUIRED_ACTION
        EXECUTE_ACTIONS EXECUTE_ACTION_TOKEN CLIENT_REGISTER CLIENT_UPDATE CLIENT_DELETE CLIENT_INITIATED_ACCOUNT_LINKING TOKEN_EXCHANGE
        OAUTH2_DEVICE_AUTH OAUTH2_DEVICE_VERIFY_USER_CODE OAUTH2_DEVICE_CODE_TO_TOKEN AUTHREQID_TO_TOKEN DELETE_ACCOUNT
        UPDATE_CREDENTIAL REMOVE_CREDENTIAL OAUTH2_EXTENSION_GRANT FEDERATED_IDENTITY_OVERRIDE_LINK INVITE_ORG
        """).SelectMany(WithError).Concat(Split("""
        PERMISSION_TOKEN USER_DISABLED_BY_PERMANENT_LOCKOUT USER_DISABLED_BY_TEMPORARY_LOCKOUT
        """))];

    /// <summary>Types that came with the newest servers and are stored by default there.</summary>
    private static IReadOnlyList<string> NewSavedByDefault { get; } = [.. Split("""
        JWT_AUTHORIZATION_GRANT VERIFIABLE_CREDENTIAL_CREATE_OFFER VERIFIABLE_CREDENTIAL_OFFER_REQUEST
        VERIFIABLE_CREDENTIAL_PRE_AUTHORIZED_GRANT VERIFIABLE_CREDENTIAL_REQUEST
        """).SelectMany(WithError)];

    private static FrozenSet<string> Old { get; } = Split("""
        CLIENT_INFO IDENTITY_PROVIDER_RESPONSE IDENTITY_PROVIDER_RETRIEVE_TOKEN INTROSPECT_TOKEN INVALID_SIGNATURE PERMISSION_TOKEN
        PUSHED_AUTHORIZATION_REQUEST REFRESH_TOKEN REGISTER_NODE UNREGISTER_NODE USER_DISABLED_BY_PERMANENT_LOCKOUT
        USER_DISABLED_BY_TEMPORARY_LOCKOUT USER_INFO_REQUEST VALIDATE_ACCESS_TOKEN
        """).SelectMany(WithError).Concat(OldSavedByDefault).ToFrozenSet();

    private static FrozenSet<string> New { get; } = Old.Concat(NewSavedByDefault)
        .Concat(Split("USER_SESSION_DELETED VERIFIABLE_CREDENTIAL_NONCE_REQUEST").SelectMany(WithError)).ToFrozenSet();

    /// <summary>All event types that a server knows, stored by default or not.</summary>
    public static FrozenSet<string> KnownTo(ServerModel model) => model >= ServerModel.V26_7 ? New : Old;

    /// <summary>The types that a server stores when the realm's own list is empty.</summary>
    public static IReadOnlyList<string> SavedBy(ServerModel model) =>
        model >= ServerModel.V26_7 ? [.. OldSavedByDefault, .. NewSavedByDefault] : OldSavedByDefault;

    private static string[] Split(string names) =>
        names.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static IEnumerable<string> WithError(string type) => [type, $"{type}_ERROR"];
}
