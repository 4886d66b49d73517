using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;

public sealed class RegistrationTests(ContractFixtures fixtures, MailFixture mails) : IClassFixture<ContractFixtures>,
    IClassFixture<MailFixture>
{
    private static readonly string[] Heard = [HintSources.Webhook, HintSources.Poll];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_with_an_unverified_address_has_an_account_and_is_reevaluated_when_it_is_verified(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        var (user, checkedAt) = (ContractFixture.Named($"doubtful-{kind}".ToLowerInvariant()), DateTime.MaxValue);
        if (fixture.Emulated is { } realm)
        {
            var id = await fixture.EmulateArrivalAsync(user.Username, "REGISTER");
            checkedAt = await OpenedAsync(fixture, id);
            realm.ChangeUser(id, user => user with { EmailVerified = true });
            await realm.RaiseAsync("VERIFY_EMAIL", id);
        }
        else
        {
            await fixture.Features.SetMailServerAsync(mails.Port, Token);
            await fixture.Features.UpdateRealmAsync(new JsonObject { ["verifyEmail"] = true }, Token);
            await fixture.Browser.RegisterAndVerifyAsync(
                fixture.Realm, user,
                async () =>
                {
                    checkedAt = await OpenedAsync(fixture, await fixture.IdOfAsync(user.Username));
                    return await mails.LinkToAsync(user.Email);
                },
                Token);
            await fixture.Features.UpdateRealmAsync(new JsonObject { ["verifyEmail"] = false }, Token);
        }

        await fixture.WaitForReevaluationAsync(await fixture.IdOfAsync(user.Username), checkedAt);
        await fixture.Database.AssertOpenedAsync(await fixture.IdOfAsync(user.Username), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_invited_by_an_organisation_has_one_account(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind);
        var user = ContractFixture.Named($"invited-{kind}".ToLowerInvariant());
        if (fixture.Emulated is not null)
        {
            await fixture.Database.AssertOpenedAsync(await fixture.EmulateArrivalAsync(user.Username, "REGISTER", "INVITE_ORG"), Heard);
            return;
        }

        await fixture.Features.SetMailServerAsync(mails.Port, Token);
        await fixture.Features.InviteAsync(await fixture.Features.AddOrganizationAsync("acme", Token), user.Email, Token);
        await fixture.Browser.RegisterByLinkAsync(fixture.Realm, await mails.LinkToAsync(user.Email), user, Token);
        await fixture.Database.AssertOpenedAsync(await fixture.IdOfAsync(user.Username), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_registered_with_a_passkey_and_no_password_has_one_account(KeycloakKind kind)
    {
        var fixture = await fixtures.GetAsync(kind, EventDelivery.Polling);
        if (fixture.Emulated is not null)
        {
            await fixture.Database.AssertOpenedAsync(
                await fixture.EmulateArrivalAsync("modern", "REGISTER", "UPDATE_CREDENTIAL"), HintSources.Poll);
            return;
        }

        await fixture.Features.RegisterByPasskeyAsync(Token);
        await fixture.Browser.RegisterWithPasskeyAsync(fixture.Realm, ContractFixture.Named("modern"), Token);
        await fixture.Database.AssertOpenedAsync(await fixture.IdOfAsync("modern"), HintSources.Poll);
    }

    // Opened, and the other way's hint of the registration is completed too.
    private static async Task<DateTime> OpenedAsync(ContractFixture fixture, string id)
    {
        await fixture.Database.AssertOpenedAsync(id, Heard);
        await fixture.CreateKnownAsync("witness");
        return await fixture.CheckedAtAsync(id);
    }
}
