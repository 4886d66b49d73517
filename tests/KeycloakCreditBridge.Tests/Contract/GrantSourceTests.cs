using System.Text.Json.Nodes;
using KeycloakCreditBridge.Sandbox.Keycloak.Admin;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>Welcome credits by what Keycloak says of where a user came from.</summary>
public sealed class GrantSourceTests(ContractFixtures fixtures) : IClassFixture<ContractFixtures>
{
    private static readonly (string, string?)[] ByClient =
    [
        ("Grants:Welcome:Credits", "5"), ("Grants:Welcome:DecideAfter", "00:00:01"),
        ("Grants:Welcome:Rules:0:When:Client", "account-console"), ("Grants:Welcome:Rules:0:When:Source", "letter"),
        ("Grants:Welcome:Rules:0:Credits", "9"), ("Grants:Welcome:Rules:0:Budget:Credits", "90"),
        ("Grants:Welcome:Rules:1:When:Client", "account-console"), ("Grants:Welcome:Rules:1:Credits", "7"),
    ];

    private static readonly (string, string?)[] ByOrganization =
    [
        ("Grants:Welcome:Credits", "5"), ("Grants:Welcome:Rules:0:When:Organization", "acme"), ("Grants:Welcome:Rules:0:Credits", "30"),
    ];

    private static readonly (string, string?)[] ByWorkflow =
    [
        ("Grants:Welcome:Credits", "5"), ("Grants:Welcome:DecideAfter", "00:00:10"),
        ("Grants:Welcome:Rules:0:When:Group", "/partners"), ("Grants:Welcome:Rules:0:Credits", "60"),
        ("Grants:Tasks:profile:Evidence:Profile:0", "company"), ("Grants:Tasks:profile:Credits", "0.5"),
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_registration_names_its_client_and_where_the_user_came_from(KeycloakKind kind)
    {
        var fixture = await StartAsync(kind, ByClient);
        var (plain, written) = (ContractFixture.Named($"plain-{kind}".ToLowerInvariant()),
            ContractFixture.Named($"written-{kind}".ToLowerInvariant()));
        await fixture.Browser.RegisterAsync(fixture.Realm, plain, Token);
        await fixture.Browser.RegisterFromAsync(fixture.Realm, written, "?utm_source=letter&ref=x", Token);
        var made = await fixture.CreateUserAsync($"made-{kind}".ToLowerInvariant());
        await HasLedgerAsync(fixture, await fixture.IdOfAsync(plain.Username), "signup 0.0, welcome 7.0");
        await HasLedgerAsync(fixture, await fixture.IdOfAsync(written.Username), "signup 0.0, welcome 9.0");
        await HasLedgerAsync(fixture, made, "signup 0.0, welcome 5.0");
    }

    // The emulator has no organisations, and Keycloak 26.0 does not tell those of a user.
    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task A_member_of_an_organisation_gets_more_once_the_bridge_may_see_that(KeycloakKind kind)
    {
        var fixture = await StartAsync(kind, ByOrganization);
        var organization = await fixture.Features.AddOrganizationAsync("acme", Token);
        var member = await fixture.CreateUserAsync($"member-{kind}".ToLowerInvariant());
        await fixture.Features.AddMemberAsync(organization, member, Token);
        await HasLedgerAsync(fixture, member, "signup 0.0");
        await fixture.Admin.SetServiceAccountRolesAsync(
            fixture.Realm, DemoRealm.ClientId, ["view-users", "view-events", "manage-realm"], Token);
        await fixture.ReconcileAsync();
        await HasLedgerAsync(fixture, member, "signup 0.0, welcome 30.0");
        await HasLedgerAsync(fixture, await fixture.CreateUserAsync($"other-{kind}".ToLowerInvariant()), "signup 0.0, welcome 5.0");
    }

    // Workflows are part of Keycloak since 26.6.
    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    public async Task A_group_and_an_attribute_that_a_workflow_gives_after_the_registration_count(KeycloakKind kind)
    {
        var fixture = await StartAsync(kind, ByWorkflow);
        await fixture.Assignments.AddGroupAsync("partners", Token);
        await fixture.Assignments.AllowUnmanagedAttributesAsync("ADMIN_EDIT", Token);
        await fixture.Features.AddWorkflowAsync(
            "partners", "user-created",
            [
                new JsonObject { ["uses"] = "join-group", ["with"] = new JsonObject { ["group"] = "/partners" } },
                new JsonObject { ["uses"] = "set-user-attribute", ["with"] = new JsonObject { ["company"] = "Acme" } },
            ],
            Token);
        var user = ContractFixture.Named("worked");
        await fixture.Browser.RegisterAsync(fixture.Realm, user, Token);
        await HasLedgerAsync(fixture, await fixture.IdOfAsync(user.Username), "signup 0.0, task:profile 0.5, welcome 60.0");
    }

    private async Task<ContractFixture> StartAsync(KeycloakKind kind, (string, string?)[] settings)
    {
        var fixture = await fixtures.GetWithoutBridgeAsync(kind, EventDelivery.Polling);
        await fixture.StopBridgeAsync();
        await fixture.StartBridgeAsync(settings);
        return fixture;
    }

    private static Task HasLedgerAsync(ContractFixture fixture, string id, string expected) => Eventually.TrueAsync(
        async () => await fixture.Database.ScalarAsync<string>(
            """
            select string_agg(t.grant_key || ' ' || t.amount::numeric(9, 1), ', ' order by t.grant_key)
            from credit_transactions t where t.user_id = @Id
            """, new { Id = id }) == expected,
        $"the ledger of {id} is {expected}");
}
