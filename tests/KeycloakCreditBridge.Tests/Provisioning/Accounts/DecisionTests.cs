using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Tests.Storage;
using static KeycloakCreditBridge.Tests.Provisioning.AccountFixture;

namespace KeycloakCreditBridge.Tests.Provisioning.Accounts;

/// <summary>The decision that converging makes for one user, row by row as docs/architecture.md has it.</summary>
public sealed class DecisionTests(PostgresFixture postgres)
{
    private const string Id = "ana@example.com";

    private static readonly DateTime Before = Start.AddHours(-1).UtcDateTime;

    [Theory]
    [InlineData("enabled", "none", "-", "account", "active 5 of ana")]
    [InlineData("disabled", "none", "-", "held", "held disabled 5 of ana")]
    [InlineData("excluded", "none", "-", "excluded attribute", "-")]
    [InlineData("service account", "none", "-", "service_account", "-")]
    [InlineData("deleted", "none", "-", "-", "-")]
    [InlineData("deleted", "none", "excluded", "deleted", "-")]
    [InlineData("enabled", "none", "excluded", "account", "active 5 of ana")]
    [InlineData("enabled", "own, active", "account", "account", "active 3 of ana")]
    [InlineData("enabled", "own, held: disabled", "held", "account", "active 3 of ana")]
    [InlineData("enabled", "own, held: operator", "account", "account", "held operator 3 of ana")]
    [InlineData("enabled", "own, closed: deleted", "deleted", "account", "active 3 of ana")]
    [InlineData("enabled", "own, closed: operator", "account", "account", "closed operator 3 of ana")]
    [InlineData("disabled", "own, active", "account", "held", "held disabled 3 of ana")]
    [InlineData("disabled", "own, closed: deleted", "deleted", "held", "held disabled 3 of ana")]
    [InlineData("excluded", "own, active", "account", "account", "active 3 of ana")]
    [InlineData("excluded", "own, held: disabled", "held", "account", "active 3 of ana")]
    [InlineData("deleted", "own, active", "account", "deleted", "closed deleted 3 of ana")]
    [InlineData("deleted", "own, held: operator", "account", "deleted", "held operator 3 of ana")]
    [InlineData("enabled", "own, active, wants an id in use", "account", "held account_id_taken", "held account_id_taken 3 of ana")]
    [InlineData("enabled", "unowned, id proven", "-", "account", "active 3 of ana")]
    [InlineData("disabled", "unowned, id proven", "-", "held", "held disabled 3 of ana")]
    [InlineData("enabled", "unowned, id not proven", "-", "excluded account_id_taken", "active 3")]
    [InlineData("enabled", "unowned, on record as the user's", "account", "account", "active 3 of ana")]
    [InlineData("deleted", "unowned, on record as the user's", "account", "deleted", "closed deleted 3 of ana")]
    [InlineData("enabled", "of another user", "-", "excluded account_id_taken", "active 3 of ben")]
    [InlineData("disabled", "of another user", "-", "excluded account_id_taken", "active 3 of ben")]
    [InlineData("enabled", "of a deleted user of the realm, id proven", "-", "account", "active 3 of ana")]
    [InlineData("disabled", "of a deleted user of the realm, id proven", "-", "held", "held disabled 3 of ana")]
    [InlineData("enabled", "of a deleted user of the realm, id not proven", "-", "excluded account_id_taken", "closed deleted 3 of ben")]
    [InlineData("enabled", "of a deleted user of another realm, id proven", "-", "excluded account_id_taken", "closed deleted 3 of ben")]
    [InlineData("service account", "own, active", "account", "service_account", "closed service_account 3 of ana")]
    [InlineData("service account", "own, held: operator", "account", "service_account", "held operator 3 of ana")]
    [InlineData("service account", "unowned, on record as the user's", "account", "service_account", "active 3")]
    [InlineData("older reading", "own, active", "account", "account", "active 3 of ana")]
    public async Task What_happens_to_user_and_account_follows_from_user_owner_and_record(
        string keycloak, string account, string record, string recordAfter, string accountAfter)
    {
        await using var fixture = await StartAsync(
            postgres,
                new ProvisioningOptions { AccountId = "{email}", Eligibility = { Attribute = keycloak == "excluded" ? "customer" : "" } });
        await AddAccountAsync(fixture.Database, account);
        if (record != "-")
            await AddRecordAsync(
                fixture.Database, "ana", Realm, record, account == "none" ? null : account.Contains("wants", StringComparison.Ordinal)
                    ? "old@example.com" : Id);

        await fixture.ConvergeAsync(Desired(fixture, keycloak, proven: !account.Contains("not proven", StringComparison.Ordinal)));

        Assert.Equal(
            recordAfter == "-" ? [] : [recordAfter],
            await fixture.Database.QueryAsync<string>(
                "select concat_ws(' ', user_state, reason) from keycloak_users where keycloak_id = 'ana'"));
        Assert.Equal(accountAfter == "-" ? [] : [accountAfter], await fixture.Database.QueryAsync<string>(
            """
            select concat_ws(' ', status, status_reason, credits_remaining::int, 'of ' || keycloak_id) from user_credits
            where user_id = @Id or user_id = 'old@example.com' order by user_id = @Id limit 1
            """,
            new { Id }));
        Assert.Equal(accountAfter.Contains(" 5 ", StringComparison.Ordinal) ? 1 : 0, await fixture.GrantsAsync());
    }

    private static DesiredState Desired(AccountFixture fixture, string keycloak, bool proven)
    {
        var user = User("ana", Id, enabled: keycloak != "disabled") with { EmailVerified = proven };
        return keycloak switch
        {
            "deleted" => fixture.EvaluateDeleted("ana"),
            "older reading" => fixture.EvaluateDeleted("ana") with { ReadAt = Before.AddHours(-1) },
            "service account" => fixture.Evaluate(user with { IsServiceAccount = true }),
            "excluded" => fixture.Evaluate(user with { Attributes = new Dictionary<string, IReadOnlyList<string>>() }),
            _ => fixture.Evaluate(user),
        };
    }

    private static async Task AddAccountAsync(TestDatabase database, string account)
    {
        if (account == "none")
            return;
        var parts = account.Split(", ");
        var status = parts.ElementAtOrDefault(1)?.Split(": ") is [var given, .. var reason] && parts[0] == "own"
            ? (given, reason.FirstOrDefault())
            : parts[0].Contains("deleted", StringComparison.Ordinal) ? ("closed", "deleted") : ("active", null);
        var (realm, owner) = parts[0] switch
        {
            "own" => (Realm, "ana"),
            "unowned" => (null, null),
            "of a deleted user of another realm" => ("other", "ben"),
            _ => (Realm, "ben"),
        };
        var wantsAnother = parts.Contains("wants an id in use");
        await AddAccountAsync(database, wantsAnother ? "old@example.com" : Id, status, realm, owner);
        if (wantsAnother)
            await AddAccountAsync(database, Id, ("active", null), Realm, "ben");
        if (owner == "ben")
            await AddRecordAsync(database, "ben", realm!, status.Item1 == "closed" ? "deleted" : "account", Id);
    }

    private static Task<int> AddAccountAsync(
        TestDatabase database, string id, (string Status, string? Reason) status, string? realm, string? owner) =>
        database.ExecuteAsync(
            """
            insert into user_credits (user_id, credits_remaining, status, status_reason, realm, keycloak_id)
            values (@id, 3, @Status, @Reason, @realm, @owner)
            """,
            new { id, status.Status, status.Reason, realm, owner });

    private static Task<int> AddRecordAsync(TestDatabase database, string user, string realm, string state, string? account) =>
        database.ExecuteAsync(
            """
            insert into keycloak_users (realm, keycloak_id, account_id, user_state, checked_at) values (@realm, @user, @account, @state,
                @Before)
            """,
            new { realm, user, account, state, Before });
}
