using System.Text.Json;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Events;

namespace KeycloakCreditBridge.Tests.Intake;

public sealed class EventRulesTests
{
    private const string User = "4afb9dc8-c31c-41a5-a30c-5c8c788f6b06";

    [Theory]
    [InlineData("REGISTER", "Changed")]
    [InlineData("UPDATE_PROFILE", "Changed")]
    [InlineData("UPDATE_EMAIL", "Changed")]
    [InlineData("VERIFY_EMAIL", "Changed")]
    [InlineData("FEDERATED_IDENTITY_LINK", "Changed")]
    [InlineData("IDENTITY_PROVIDER_FIRST_LOGIN", "Changed")]
    [InlineData("USER_DISABLED_BY_PERMANENT_LOCKOUT", "Changed")]
    [InlineData("DELETE_ACCOUNT", "Deleted")]
    [InlineData("LOGIN", "Seen")]
    [InlineData("EXECUTE_ACTION_TOKEN", "Seen")]
    [InlineData("A_TYPE_OF_TOMORROW", "Seen")]
    public void The_type_of_a_user_event_decides_the_kind_of_hint(string type, string kind) =>
        Assert.Equal(
            new UserHint("demo", User, Enum.Parse<HintKind>(kind), type, HintSources.Poll),
            EventRules.HintFrom(new UserEvent(Type: type, UserId: User), "demo", HintSources.Poll));

    [Fact]
    public void A_long_type_is_cut_between_characters_as_half_a_one_cannot_be_stored()
    {
        var hint = EventRules.HintFrom(new UserEvent(Type: new string('x', 99) + "\U0001F600", UserId: User), "demo", HintSources.Broker);
        Assert.Equal(new string('x', 99), hint?.Cause);
    }

    [Theory]
    [InlineData("LOGIN_ERROR", User, null)]
    [InlineData("REGISTER_ERROR", User, "email_in_use")]
    [InlineData("LOGIN", User, "user_disabled")]
    [InlineData("CLIENT_LOGIN", User, null)]
    [InlineData("CLIENT_UPDATE", User, null)]
    [InlineData("LOGIN", "lightweight-4afb9dc8", null)]
    [InlineData("IDENTITY_PROVIDER_FIRST_LOGIN", null, null)]
    [InlineData("LOGIN", "", null)]
    public void Errors_client_events_and_events_without_a_user_are_no_hints(string type, string? userId, string? error) =>
        Assert.Null(EventRules.HintFrom(new UserEvent(Type: type, UserId: userId, Error: error), "demo", HintSources.Poll));

    [Theory]
    [InlineData("CREATE", "USER", "users/u1", "u1", "Changed")]
    [InlineData("UPDATE", "USER", "users/u1", "u1", "Changed")]
    [InlineData("CREATE", "REALM", "users/u1", "u1", "Changed")]
    [InlineData("CREATE", "USER", "scim/v2/Users/u1", "u1", "Changed")]
    [InlineData("DELETE", "USER", "scim/v2/Users/u1", "u1", "Deleted")]
    [InlineData("DELETE", "USER", "users/u1", "u1", "Deleted")]
    [InlineData("DELETE", "USER", "users/f:Zq2:ana maria", "f:Zq2:ana maria", "Deleted")]
    [InlineData("UPDATE", "USER", "users/a b%20c+é", "a b%20c+é", "Changed")]
    [InlineData("DELETE", "CLIENT_ROLE_MAPPING", "users/u1/role-mappings/clients/c1", "u1", "Seen")]
    [InlineData("CREATE", "GROUP_MEMBERSHIP", "users/u1/groups/g1", "u1", "Changed")]
    [InlineData("DELETE", "GROUP_MEMBERSHIP", "users/u1/groups/g1", "u1", "Changed")]
    [InlineData("CREATE", "REALM_ROLE_MAPPING", "users/u1/role-mappings/realm", "u1", "Changed")]
    [InlineData("DELETE", "REALM_ROLE_MAPPING", "users/u1/role-mappings/realm", "u1", "Changed")]
    [InlineData("CREATE", "CLIENT_ROLE_MAPPING", "users/u1/role-mappings/clients/c1", "u1", "Seen")]
    [InlineData("ACTION", "USER", "users/u1/reset-password", "u1", "Seen")]
    [InlineData("DELETE", "USER", "users/u1/federated-identity/corp", "u1", "Changed")]
    public void The_path_of_an_admin_event_names_the_user_concerned(
        string operation, string resource, string path, string userId, string kind) =>
        Assert.Equal(
            new UserHint("demo", userId, Enum.Parse<HintKind>(kind), $"{resource}-{operation}", HintSources.Webhook),
            EventRules.HintFrom(
                new AdminEvent(OperationType: operation, ResourceType: resource, ResourcePath: path), "demo", HintSources.Webhook));

    [Theory]
    [InlineData("UPDATE", null)]
    [InlineData("UPDATE", "")]
    [InlineData("CREATE", "clients/u1")]
    [InlineData("CREATE", "organizations/o1/members")]
    [InlineData("ACTION", "user-storage/c1/sync")]
    [InlineData("UPDATE", "users/profile")]
    [InlineData("UPDATE", "users-management-permissions")]
    [InlineData("DELETE", "users/")]
    [InlineData("DELETE", "groups/users/u1")]
    [InlineData("CREATE", "groups/g1/role-mappings/realm")]
    [InlineData("DELETE", "users/lightweight-u1")]
    public void A_path_without_a_user_is_no_hint(string operation, string? path) =>
        Assert.Null(EventRules.HintFrom(new AdminEvent(OperationType: operation, ResourcePath: path), "demo", HintSources.Poll));

    [Theory]
    [InlineData("UPDATE", "REALM", "users/u1", true)]
    [InlineData("CREATE", "REALM", "users/u1", false)]
    [InlineData("UPDATE", "USER", "users/u1", false)]
    [InlineData("UPDATE", "REALM", "users/profile", false)]
    [InlineData("UPDATE", "REALM", "users/u1/role-mappings/realm", false)]
    [InlineData("UPDATE", "REALM", null, false)]
    public void Only_a_partial_import_that_overwrites_says_that_a_realm_updated_a_user(
        string operation, string resource, string? path, bool isOverwrite) =>
        Assert.Equal(
            isOverwrite, EventRules.IsOverwrite(new AdminEvent(OperationType: operation, ResourceType: resource, ResourcePath: path)));

    [Fact]
    public void An_admin_operation_that_failed_is_no_hint() =>
        Assert.Null(EventRules.HintFrom(
            new AdminEvent(OperationType: "CREATE", ResourcePath: "users/u1", Error: "conflict"), "demo", HintSources.Poll));

    [Fact]
    public void The_stored_events_of_a_real_realm_name_exactly_its_users()
    {
        Assert.Equal(
            [
                "LOGIN 91dc7dff-f3aa-40fb-aeba-f7aaf4f6e4db", "REGISTER 4afb9dc8-c31c-41a5-a30c-5c8c788f6b06",
                "SEND_VERIFY_EMAIL 4afb9dc8-c31c-41a5-a30c-5c8c788f6b06", "REGISTER a2b4b72f-915b-4c43-8e84-5598071bbcc0",
                "LOGIN a2b4b72f-915b-4c43-8e84-5598071bbcc0", "VERIFY_EMAIL 4afb9dc8-c31c-41a5-a30c-5c8c788f6b06",
                "REGISTER 7609f14d-b39c-46ec-be96-6c537314c7cd", "LOGIN 7609f14d-b39c-46ec-be96-6c537314c7cd",
                "LOGIN 7609f14d-b39c-46ec-be96-6c537314c7cd", "LOGIN 91dc7dff-f3aa-40fb-aeba-f7aaf4f6e4db",
                "UPDATE_PROFILE 91dc7dff-f3aa-40fb-aeba-f7aaf4f6e4db",
            ],
            Stored("keycloak-26.7.3-events.json", EventJson.Default.IReadOnlyListUserEvent)
                .Select(happened => EventRules.HintFrom(happened, "demo", HintSources.Poll))
                .OfType<UserHint>().Select(hint => $"{hint.Cause} {hint.UserId}"));
        Assert.Equal(
            25,
            Stored("keycloak-26.7.3-admin-events.json", EventJson.Default.IReadOnlyListAdminEvent)
                .Select(happened => EventRules.HintFrom(happened, "demo", HintSources.Poll)).OfType<UserHint>().Count());
    }

    [Fact]
    public void An_impossible_user_id_is_distinguished_from_an_unusual_one()
    {
        Assert.All(["f:Zq2:ana maria", "アナ", new string('x', 255), "a'b\"c\\d"], id => Assert.Null(UserIds.ProblemWith(id)));
        Assert.All(["a\0b", "a\nb", "a\u009Fb", new string('x', 256)], id => Assert.NotNull(UserIds.ProblemWith(id)));
    }

    private static IReadOnlyList<T> Stored<T>(string file, System.Text.Json.Serialization.Metadata.JsonTypeInfo<IReadOnlyList<T>> type) =>
        JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Fixtures", file)), type)!;
}
