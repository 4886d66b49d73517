using CsCheck;
using KeycloakCreditBridge.Grants.Codes;

namespace KeycloakCreditBridge.Tests.Grants.Codes;

/// <summary>What users type for a code, and what is compared.</summary>
public sealed class CodeTextTests
{
    [Theory]
    [InlineData("ABCD-EFGH-JKMN-PQRS", "ABCDEFGHJKMNPQRS")]
    [InlineData(" abcd efgh\tjkmn\u00a0pqrs\n", "ABCDEFGHJKMNPQRS")]
    [InlineData("oO0-iIlL1", "00011111")]
    [InlineData("abcd\u2013efgh\u2014jkmn", "ABCDEFGHJKMN")]
    [InlineData("----", "")]
    [InlineData("", "")]
    public void What_looks_alike_is_compared_as_the_same(string typed, string compared) =>
        Assert.Equal(compared, CodeText.Normalize(typed));

    [Theory]
    [InlineData("\u0410BCD")]
    [InlineData("\uff21BCD")]
    [InlineData("\u0131BCD")]
    [InlineData("\u017fBCD")]
    [InlineData("\u212aBCD")]
    public void A_letter_of_another_alphabet_is_no_letter_of_a_code(string typed) =>
        Assert.Equal(typed, CodeText.Normalize(typed));

    [Fact]
    public void A_code_is_shown_in_groups_and_found_again_however_it_is_typed() =>
        Gen.Int[4, 32].Sample(length =>
        {
            var code = CodeText.Generate(length);
            Assert.Equal(length, code.Length);
            Assert.All(code, character => Assert.Contains(character, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"));
            Assert.Equal(code, CodeText.Normalize(code));
            Assert.Equal(code, CodeText.Normalize(CodeText.Display(code).ToLowerInvariant()));
        });

    [Fact]
    public void Codes_have_eighty_bits_and_are_never_the_same()
    {
        var codes = Enumerable.Range(0, 10_000).Select(_ => CodeText.Generate()).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(10_000, codes.Count);
        Assert.All(codes, code => Assert.Equal(19, CodeText.Display(code).Length));
        // Each place takes each of the 32 characters.
        Assert.All(Enumerable.Range(0, 16), place => Assert.Equal(32, codes.Select(code => code[place]).Distinct().Count()));
    }

    [Theory]
    [InlineData("SPRING-2027")]
    [InlineData("ABCD")]
    [InlineData("A-B-C-D")]
    public void A_chosen_word_may_be_a_code(string word) => Assert.Null(CodeText.ProblemWith(word));

    [Theory]
    [InlineData("ABC")]
    [InlineData("----")]
    [InlineData("A-B--")]
    [InlineData("spring")]
    [InlineData("SPRING 27")]
    [InlineData("FRÜHLING")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void Other_words_are_refused(string word) => Assert.NotNull(CodeText.ProblemWith(word));
}
