using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;

namespace KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;

public sealed class RegistrationTests(ContractFixtures scenes, MailFixture mails) : IClassFixture<ContractFixtures>,
    IClassFixture<MailFixture>
{
    private static readonly string[] Heard = [HintSources.Webhook, HintSources.Poll];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_user_with_an_unverified_address_has_an_account_and_is_reevaluated_when_it_is_verified(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var (user, checkedAt) = (ContractFixture.Named($"doubtful-{kind}".ToLowerInvariant()), DateTime.MaxValue);
        if (scene.Emulated is { } realm)
        {
            var id = await scene.EmulateArrivalAsync(user.Username, "REGISTER");
            checkedAt = await OpenedAsync(scene, id);
            realm.ChangeUser(id, user => user with { EmailVerified = true });
            await realm.RaiseAsync("VERIFY_EMAIL", id);
        }
        else
        {
            await scene.Features.SetMailServerAsync(mails.Port, Token);
            await scene.Features.UpdateRealmAsync(new JsonObject { ["verifyEmail"] = true }, Token);
            await scene.Browser.RegisterAndVerifyAsync(
                scene.Realm, user,
                async () =>
                {
                    checkedAt = await OpenedAsync(scene, await scene.IdOfAsync(user.Username));
                    return await mails.LinkToAsync(user.Email);
                },
                Token);
            await scene.Features.UpdateRealmAsync(new JsonObject { ["verifyEmail"] = false }, Token);
        }

        await scene.WaitForReevaluationAsync(await scene.IdOfAsync(user.Username), checkedAt);
        await scene.Database.AssertOpenedAsync(await scene.IdOfAsync(user.Username), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_invited_by_an_organisation_has_one_account(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var user = ContractFixture.Named($"invited-{kind}".ToLowerInvariant());
        if (scene.Emulated is not null)
        {
            await scene.Database.AssertOpenedAsync(await scene.EmulateArrivalAsync(user.Username, "REGISTER", "INVITE_ORG"), Heard);
            return;
        }

        await scene.Features.SetMailServerAsync(mails.Port, Token);
        await scene.Features.InviteAsync(await scene.Features.AddOrganizationAsync("acme", Token), user.Email, Token);
        await scene.Browser.RegisterByLinkAsync(scene.Realm, await mails.LinkToAsync(user.Email), user, Token);
        await scene.Database.AssertOpenedAsync(await scene.IdOfAsync(user.Username), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task A_user_registered_with_a_passkey_and_no_password_has_one_account(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind, EventDelivery.Polling);
        if (scene.Emulated is not null)
        {
            await scene.Database.AssertOpenedAsync(
                await scene.EmulateArrivalAsync("modern", "REGISTER", "UPDATE_CREDENTIAL"), HintSources.Poll);
            return;
        }

        await scene.Features.RegisterByPasskeyAsync(Token);
        await scene.Browser.RegisterWithPasskeyAsync(scene.Realm, ContractFixture.Named("modern"), Token);
        await scene.Database.AssertOpenedAsync(await scene.IdOfAsync("modern"), HintSources.Poll);
    }

    // Opened, and the other way's hint of the registration is completed too.
    private static async Task<DateTime> OpenedAsync(ContractFixture scene, string id)
    {
        await scene.Database.AssertOpenedAsync(id, Heard);
        await scene.CreateKnownAsync("witness");
        return await scene.CheckedAtAsync(id);
    }
}
