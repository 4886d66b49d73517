using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Balances;
using KeycloakCreditBridge.Credits.Grants;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Page.Accounts;

/// <summary>What operators do with an account, by the same services as the HTTP API. Each act, done or refused, is audited.</summary>
internal sealed class AccountActs(
    AccountLookup accounts, LedgerWriter ledger, TierSwitcher switcher, Hot<GrantPolicy> policies, HintWriter hints, HintListStore listed,
    GrantBook book, BalanceCache cache, ActRunner acts, TimeProvider clock)
{
    /// <summary>Has Keycloak asked for the user now.</summary>
    public async Task<IResult> AskAsync(HttpContext context, string realm, string id)
    {
        await DoAsync(context, new PageAct("ask", realm, null, ("keycloak_id", id)), async () =>
        {
            if (UserIds.ProblemWith(id) is not null)
                throw Operator.NotFound();
            await hints.WriteAsync(
                [new UserHint(realm, id, HintKind.Changed, "OPERATOR", HintSources.Backfill)], context.RequestAborted);
        });
        return Screens.GoTo(AccountsScreen.AddressOf(realm, id), "asked");
    }

    /// <summary>Tries the hint of the user again, or deletes it.</summary>
    public async Task<IResult> HintAsync(HttpContext context, string realm, string id)
    {
        var drops = context.Features.Get<IFormCollection>()!["do"] == "drop";
        await DoAsync(context, new PageAct(drops ? "drop_hint" : "retry_hint", realm, null, ("keycloak_id", id)), async () =>
        {
            var count = drops
                ? (await listed.DropAsync(realm, [id], context.RequestAborted)).Count
                : (await listed.RetryAsync(realm, [id], allDead: false, context.RequestAborted)).Count;
            if (count == 0)
                throw new RequestRefusedException(
                    StatusCodes.Status409Conflict, "The user has no hint: it was completed meanwhile.");
        });
        return Screens.GoTo(AccountsScreen.AddressOf(realm, id), drops ? "dropped" : "retried");
    }

    /// <summary>Changes credits or tier, once for the form's key.</summary>
    /// <exception cref="RequestRefusedException">The account cannot be changed so.</exception>
    public Task ChangeAsync(HttpContext context, string realm, string accountId, ActForm form)
    {
        var act = new PageAct(
            form.Act, realm, accountId, ("amount", form.Credits > 0m ? Texts.Credits(form.Credits) : null),
            ("tier", form.Act == "switch" ? form.Tier : null), ("reason", form.Reason),
            ("usage", form.Act == "refund" ? form.Usage : null), ("grant", form.IsOfGrant ? form.Grant : null),
            ("ends", form.Act == "extend" ? form.Ends : null));
        return DoAsync(context, act, async () =>
        {
            var user = Operator.Of(context);
            var caller = new Caller(realm, user.Subject, user.Name, IsAdmin: true, IsService: false, clock.GetUtcNow());
            if (form.IsOfGrant)
            {
                await ChangeGrantAsync(context, caller, accountId, form);
                return;
            }

            var answer = form.Act == "switch"
                ? await SwitchAsync(context, caller, accountId, form)
                : await ledger.WriteAsync(Change(context, caller, accountId, form));
            if (answer is null)
                throw RequestRefusedException.NoAccount(accountId);
        });
    }

    // It goes on when the operator leaves, who could not know the outcome otherwise.
    private async Task ChangeGrantAsync(HttpContext context, Caller caller, string accountId, ActForm form)
    {
        var outcome = form.Act == "void"
            ? (await book.VoidAsync(
                new GrantVoid(accountId, form.Grant, VoidReach.Stop, form.Reason, caller.Subject, AddressOf(context)),
                CancellationToken.None)).Outcome
            : (await GrantEnd.RespectedAsync(() => book.ExtendAsync(
                new GrantExtension(accountId, form.Grant, form.EndsAt, ChangesEnd: true, null, caller.Subject, AddressOf(context)),
                CancellationToken.None))).Outcome;
        cache.Forget(accountId);
        if (outcome == GrantChangeOutcome.NoAccount)
            throw RequestRefusedException.NoAccount(accountId);
        if (outcome == GrantChangeOutcome.UnknownGrant)
            throw new RequestRefusedException(StatusCodes.Status409Conflict, "The account has no such grant.");
        if (outcome != GrantChangeOutcome.Done)
            throw new RequestRefusedException(StatusCodes.Status409Conflict, "The grant was closed or has ended meanwhile.");
    }

    private Task<string?> SwitchAsync(HttpContext context, Caller caller, string accountId, ActForm form)
    {
        var tiers = policies.Current.Tiers;
        var order = new TierSwitchRequest(
            accounts.Select(caller, accountId), tiers.Find(form.Tier)!, caller.Subject, AddressOf(context), caller.Key, form.Key,
            form.Hash);
        return switcher.SwitchAsync(order, tiers.ProRating);
    }

    private CreditChange Change(HttpContext context, Caller caller, string accountId, ActForm form)
    {
        var isRefund = form.Act == "refund";
        var metadata = new JsonObject { ["reason"] = form.Reason, ["by"] = caller.Subject, ["source"] = "page" };
        if (isRefund)
            metadata["refunds"] = form.Usage;
        return new CreditChange(
            accounts.Select(caller, accountId), form.Credits, isRefund ? "refund" : form.Type,
            metadata.ToJsonString(JsonSerializerOptions.Web), caller.Key, form.Key, form.Hash)
        {
            Action = isRefund ? "credit.refund" : "credit.allocate",
            Refunds = isRefund ? Guid.Parse(form.Usage) : null,
            Address = AddressOf(context),
        };
    }

    private Task<bool> DoAsync(HttpContext context, PageAct act, Func<Task> work) => acts.DoAsync(context, act, async () =>
    {
        await work();
        return true;
    });

    private static string? AddressOf(HttpContext context) => context.Connection.RemoteIpAddress?.ToString();
}
