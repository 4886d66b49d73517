using System.Text.Json.Nodes;
using KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract;

/// <summary>The recipes of docs/grants.md, as a user goes through them.</summary>
public sealed class GrantTests(ContractFixtures fixtures, MailFixture mails) : IClassFixture<ContractFixtures>, IClassFixture<MailFixture>
{
    private static readonly (string, string?)[] Trial =
    [
        ("Grants:Welcome:Credits", "5.00"), ("Grants:Welcome:Before", "1.0"), ("Grants:Welcome:Requires:0", "email_verified"),
        ("Grants:Welcome:VerifyWithin", "7.00:00:00"),
    ];

    private static readonly (string, string?)[] Earned =
    [
        ("Grants:Welcome:Credits", "1.0"),
        ("Grants:Tasks:verify-email:Evidence:EmailVerified", "true"), ("Grants:Tasks:verify-email:Credits", "1.0"),
        ("Grants:Tasks:mfa:Evidence:Credential:0", "otp"), ("Grants:Tasks:mfa:Credits", "1.5"),
        ("Grants:Tasks:mfa:Requires:0", "verify-email"),
    ];

    private static readonly (string, string?)[] Partners =
    [
        ("Grants:Welcome:Credits", "5.00"), ("Grants:Welcome:Requires:0", "email_verified"),
        ("Grants:Welcome:Rules:0:Name", "partners"), ("Grants:Welcome:Rules:0:When:Group", "/partners"),
        ("Grants:Welcome:Rules:0:Credits", "60"), ("Grants:Welcome:Rules:0:Tier", "professional"),
        ("Grants:Welcome:Rules:1:Name", "schools"), ("Grants:Welcome:Rules:1:When:EmailDomain", "*.edu.example"),
        ("Grants:Welcome:Rules:1:Credits", "20"),
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_cautious_trial_pays_the_rest_once_when_the_address_is_verified(KeycloakKind kind)
    {
        var fixture = await StartAsync(kind, EventDelivery.WebhooksAndPolling, Trial);
        var (user, before) = (ContractFixture.Named($"cautious-{kind}".ToLowerInvariant()), "");
        if (fixture.Emulated is { } realm)
        {
            var id = await fixture.EmulateArrivalAsync(user.Username, "REGISTER");
            await HasLedgerAsync(fixture, id, "signup 1.0");
            realm.ChangeUser(id, user => user with { EmailVerified = true });
            await realm.RaiseAsync("VERIFY_EMAIL", id);
            await realm.RaiseAsync("VERIFY_EMAIL", id);
            before = id;
        }
        else
        {
            await fixture.Features.SetMailServerAsync(mails.Port, Token);
            await fixture.Features.UpdateRealmAsync(new JsonObject { ["verifyEmail"] = true }, Token);
            await fixture.Browser.RegisterAndVerifyAsync(
                fixture.Realm, user,
                async () =>
                {
                    before = await fixture.IdOfAsync(user.Username);
                    await HasLedgerAsync(fixture, before, "signup 1.0");
                    return await mails.LinkToAsync(user.Email);
                },
                Token);
            await fixture.Features.UpdateRealmAsync(new JsonObject { ["verifyEmail"] = false }, Token);
        }

        await HasLedgerAsync(fixture, before, "signup 1.0, welcome 4.0");
    }

    [Theory, EveryKeycloak]
    public async Task A_complete_run_finds_an_address_that_was_verified_silently(KeycloakKind kind)
    {
        var fixture = await StartAsync(kind, EventDelivery.Nothing, Trial);
        var id = await fixture.CreateUserAsync($"silent-{Guid.NewGuid():n}");
        await fixture.ReconcileAsync();
        await HasLedgerAsync(fixture, id, "signup 1.0");
        if (fixture.Emulated is { } realm)
            realm.ChangeUser(id, user => user with { EmailVerified = true });
        else
            await fixture.Admin.UpdateUserAsync(fixture.Realm, id, new JsonObject { ["emailVerified"] = true }, Token);

        await fixture.ReconcileAsync();
        await fixture.ReconcileAsync();

        await HasLedgerAsync(fixture, id, "signup 1.0, welcome 4.0");
    }

    // The emulator has no credentials.
    [Theory]
    [InlineData(KeycloakKind.Keycloak26_7)]
    [InlineData(KeycloakKind.Keycloak26_0)]
    public async Task Credits_are_earned_by_a_verified_address_and_a_second_factor(KeycloakKind kind)
    {
        var fixture = await StartAsync(kind, EventDelivery.Polling, Earned);
        var user = ContractFixture.Named($"earning-{kind}".ToLowerInvariant());
        await fixture.Browser.RegisterAsync(fixture.Realm, user, Token);
        var id = await fixture.IdOfAsync(user.Username);
        await HasLedgerAsync(fixture, id, "signup 1.0");
        await fixture.Browser.PerformActionAsync(
            fixture.Realm, user, "CONFIGURE_TOTP", new Dictionary<string, string> { ["userLabel"] = "telephone" }, Token);
        await fixture.Admin.UpdateUserAsync(fixture.Realm, id, new JsonObject { ["emailVerified"] = true }, Token);
        await HasLedgerAsync(fixture, id, "signup 1.0, task:mfa 1.5, task:verify-email 1.0");
    }

    [Theory, EveryKeycloak]
    public async Task Partners_and_users_of_their_domains_get_more(KeycloakKind kind)
    {
        var fixture = await StartAsync(kind, EventDelivery.Nothing, Partners);
        var (partner, pupil, other) = (
            await VerifiedAsync(fixture, "partner@example.com"), await VerifiedAsync(fixture, "pupil@uni.edu.example"),
            await VerifiedAsync(fixture, "other@example.com"));
        var group = await fixture.Assignments.AddGroupAsync("partners", Token);
        await fixture.Assignments.JoinGroupAsync(partner, group, Token);

        await fixture.ReconcileAsync();

        await HasLedgerAsync(fixture, partner, "signup 0.0, welcome 60.0");
        await HasLedgerAsync(fixture, pupil, "signup 0.0, welcome 20.0");
        await HasLedgerAsync(fixture, other, "signup 0.0, welcome 5.0");
    }

    private async Task<ContractFixture> StartAsync(KeycloakKind kind, EventDelivery hearing, (string, string?)[] settings)
    {
        var fixture = await fixtures.GetWithoutBridgeAsync(kind, hearing);
        await fixture.StopBridgeAsync();
        await fixture.StartBridgeAsync(settings);
        return fixture;
    }

    private static Task<string> VerifiedAsync(ContractFixture fixture, string email) => fixture.Admin.CreateUserAsync(
        fixture.Realm, ContractFixture.Named(email.Split('@')[0]) with { Email = email }, Token,
        new JsonObject { ["emailVerified"] = true });

    private static Task HasLedgerAsync(ContractFixture fixture, string id, string expected) => Eventually.TrueAsync(
        async () => await fixture.Database.ScalarAsync<string>(
            """
            select string_agg(t.grant_key || ' ' || t.amount::numeric(9, 1), ', ' order by t.grant_key)
            from credit_transactions t where t.user_id = @Id
            """, new { Id = id }) == expected,
        $"the ledger of {id} is {expected}");
}
