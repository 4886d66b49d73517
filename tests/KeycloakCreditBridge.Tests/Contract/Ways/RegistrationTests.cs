using System.Text.Json.Nodes;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Sandbox;

namespace KeycloakCreditBridge.Tests.Contract.Ways;

public sealed class RegistrationTests(SharedScenes scenes, MailSink mails) : IClassFixture<SharedScenes>, IClassFixture<MailSink>
{
    private static readonly string[] Heard = [HintSources.Webhook, HintSources.Poll];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task Who_still_has_to_verify_the_address_has_an_account_and_is_looked_at_again_when_it_is_verified(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var (person, checkedAt) = (ContractScene.Named($"doubtful-{kind}".ToLowerInvariant()), DateTime.MaxValue);
        if (scene.Emulated is { } realm)
        {
            var id = await scene.EmulateArrivalAsync(person.Username, "REGISTER");
            checkedAt = await OpenedAsync(scene, id);
            realm.ChangeUser(id, user => user with { EmailVerified = true });
            await realm.RaiseAsync("VERIFY_EMAIL", id);
        }
        else
        {
            await scene.Features.SendMailToAsync(mails.Port, Token);
            await scene.Features.SetAsync(new JsonObject { ["verifyEmail"] = true }, Token);
            await scene.Browser.RegisterAndVerifyAsync(
                scene.Realm, person,
                async () =>
                {
                    checkedAt = await OpenedAsync(scene, await scene.IdOfAsync(person.Username));
                    return await mails.LinkToAsync(person.Email);
                },
                Token);
            await scene.Features.SetAsync(new JsonObject { ["verifyEmail"] = false }, Token);
        }

        await scene.LookedAtAgainAsync(await scene.IdOfAsync(person.Username), checkedAt);
        await scene.Database.AssertOpenedAsync(await scene.IdOfAsync(person.Username), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task Whom_an_organisation_invited_has_one_account(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind);
        var person = ContractScene.Named($"invited-{kind}".ToLowerInvariant());
        if (scene.Emulated is not null)
        {
            await scene.Database.AssertOpenedAsync(await scene.EmulateArrivalAsync(person.Username, "REGISTER", "INVITE_ORG"), Heard);
            return;
        }

        await scene.Features.SendMailToAsync(mails.Port, Token);
        await scene.Features.InviteAsync(await scene.Features.AddOrganizationAsync("acme", Token), person.Email, Token);
        await scene.Browser.RegisterByLinkAsync(scene.Realm, await mails.LinkToAsync(person.Email), person, Token);
        await scene.Database.AssertOpenedAsync(await scene.IdOfAsync(person.Username), Heard);
    }

    [Theory, EveryKeycloak]
    public async Task Who_registers_with_a_passkey_and_no_password_has_one_account(KeycloakKind kind)
    {
        var scene = await scenes.GetAsync(kind, Hearing.Polling);
        if (scene.Emulated is not null)
        {
            await scene.Database.AssertOpenedAsync(await scene.EmulateArrivalAsync("modern", "REGISTER", "UPDATE_CREDENTIAL"), HintSources.Poll);
            return;
        }

        await scene.Features.RegisterByPasskeyAsync(Token);
        await scene.Browser.RegisterWithPasskeyAsync(scene.Realm, ContractScene.Named("modern"), Token);
        await scene.Database.AssertOpenedAsync(await scene.IdOfAsync("modern"), HintSources.Poll);
    }

    // Opened, and the other way's hint of the registration is settled too.
    private static async Task<DateTime> OpenedAsync(ContractScene scene, string id)
    {
        await scene.Database.AssertOpenedAsync(id, Heard);
        await scene.CreateKnownAsync("witness");
        return await scene.CheckedAtAsync(id);
    }
}
