"""Misspellings that are no words of English and no names in code, each with what was meant. Knows words, no texts."""

from __future__ import annotations

_PAIRS = """
abbout about|abitrary arbitrary|accesible accessible|accidently accidentally|accomodate accommodate|accoring according
accross across|acess access|acheive achieve|acheived achieved|actualy actually|additonal additional|adress address
adresses addresses|agument argument|aguments arguments|algorith algorithm|algorithim algorithm|allready already
allways always|alot a lot|ambigious ambiguous|amoung among|analagous analogous|anonymus anonymous|anwser answer
aparent apparent|apparantly apparently|appropiate appropriate|appropriatly appropriately|arbitary arbitrary
arbitrarly arbitrarily|arguement argument|arguements arguments|argumnet argument|argumnets arguments
assertation assertion|assigment assignment|asynchrounous asynchronous|asyncronous asynchronous|atribute attribute
atributes attributes|attibute attribute|attirbute attribute|attribut attribute|authentification authentication
authetication authentication|automaticaly automatically|automaticly automatically|avaiable available
availabe available|availible available|avaliable available|avilable available|backgroud background|beacuse because
becasue because|becuase because|befor before|begining beginning|behaviuor behaviour|behavoir behavior|beleive believe
beteween between|betweeen between|betwen between|boundry boundary|brower browser|calender calendar|calulate calculate
calulated calculated|cannonical canonical|capabilites capabilities|caracter character|caracters characters
catagory category|cateogry category|charachter character|charater character|charaters characters|charcter character
cheked checked|choosen chosen|colection collection|comand command|comands commands|comming coming|commited committed
commiting committing|comon common|compability compatibility|comparision comparison|comparsion comparison
compatability compatibility|compatiable compatible|compatibilty compatibility|compatiblity compatibility
compleatly completely|completley completely|completly completely|compliation compilation|compoment component
componenet component|conatiner container|conatins contains|concatentate concatenate|conditon condition
condtion condition|condtions conditions|conection connection|configration configuration|configuation configuration
configuraton configuration|conneciton connection|connectino connection|consistant consistent|constrast contrast
constructer constructor|consturctor constructor|contians contains|contructor constructor|contstant constant
convertion conversion|convienence convenience|convienient convenient|convinient convenient|corectly correctly
coresponding corresponding|coroutin coroutine|correclty correctly|correponding corresponding
correspoding corresponding|corrresponding corresponding|corutine coroutine|curently currently|currenlty currently
currenty currently|custum custom|deafult default|decalred declared|declartion declaration|decleration declaration
decription description|defalut default|defaut default|defautl default|definately definitely|definiton definition
defintion definition|defintions definitions|delimeter delimiter|delimeters delimiters|depedency dependency
dependancies dependencies|dependancy dependency|dependecies dependencies|dependend dependent|depracated deprecated
deprected deprecated|depricated deprecated|derivated derived|descibe describe|desciption description
desriptor descriptor|destory destroy|destorying destroying|detatched detached|dictionay dictionary
dictonary dictionary|diferent different|diffent different|differnt different|diffrent different|direcory directory
direcotry directory|directoy directory|disapear disappear|documenation documentation|documention documentation
doucment document|duplcate duplicate|efficent efficient|elemnt element|elment element|elments elements
embeded embedded|emtpy empty|encodding encoding|enconding encoding|encouter encounter|enviornment environment
enviroment environment|enviroments environments|environement environment|envrionment environment|equivalant equivalent
equivilent equivalent|errorneous erroneous|erros errors|errror error|especialy especially|establised established
evalute evaluate|exapmle example|excecute execute|excepion exception|excpetion exception|excption exception
excute execute|excuted executed|execption exception|exeption exception|exisiting existing|exisitng existing
existance existence|exlcude exclude|exlude exclude|exmaple example|expcet expect|expeced expected|expeceted expected
expectes expects|explicitely explicitly|explicitily explicitly|explicity explicitly|exptected expected
extenal external|extention extension|extentions extensions|familar familiar|finaly finally|flexability flexibility
folllowing following|follwed followed|follwing following|folowing following|formated formatted|formating formatting
forwared forward|foward forward|fucntion function|fuction function|funciton function|functin function
functino function|functionalty functionality|functionaly functionally|funtion function|funtions functions
furthur further|garantee guarantee|garanteed guaranteed|gaurantee guarantee|generater generator|guarantess guarantees
guarenteed guaranteed|handeled handled|handeling handling|happend happened|heirarchy hierarchy|hieararchy hierarchy
hierachy hierarchy|idenfitier identifier|identifer identifier|identifers identifiers|imediate immediate
imediately immediately|immediatelly immediately|immediatly immediately|impelmentation implementation
implemenation implementation|implementaion implementation|implementaiton implementation|implemention implementation
implemtation implementation|implicitely implicitly|improvment improvement|includs includes|inclued include
incompatable incompatible|incompatbile incompatible|inconsistant inconsistent|incosistent inconsistent|incude include
independant independent|independantly independently|infomation information|inforamtion information|inherted inherited
inherting inheriting|inital initial|initalize initialize|initalized initialized|initilize initialize|inlcude include
inlcuded included|inpsect inspect|insance instance|insead instead|instace instance|instanciate instantiate
instanciated instantiated|instanse instance|insted instead|integar integer|intenral internal|intented intended
intepreter interpreter|interable iterable|interal internal|interative interactive|intermidiate intermediate
interperter interpreter|interpeter interpreter|intial initial|intialize initialize|intrepreter interpreter
invaild invalid|invlaid invalid|invokation invocation|iteraror iterator|iterater iterator|keyowrd keyword
keywrod keyword|langauge language|legnth length|lengh length|lenght length|libary library|liberary library
libraray library|likelyhood likelihood|listner listener|maching matching|machting matching|maintainance maintenance
managment management|mananger manager|manuallly manually|manualy manually|mechansim mechanism|mehtod method
memeber member|mesage message|messgae message|messsage message|methdo method|metohd method|mininum minimum
minumum minimum|mising missing|mispelled misspelled|missmatch mismatch|modifed modified|moduel module
mulitple multiple|multple multiple|mutliple multiple|neccesary necessary|neccessary necessary|necesary necessary
necessery necessary|neeeded needed|nubmer number|numner number|obejct object|objcet object|objec object
ocassionally occasionally|occassion occasion|occassionally occasionally|occationally occasionally|occurance occurrence
occurances occurrences|occured occurred|occurence occurrence|occurences occurrences|occuring occurring|ommit omit
ommited omitted|ommitted omitted|onyl only|opeartor operator|operaton operation|opertion operation
oppurtunity opportunity|optimizaton optimization|optinal optional|optionnal optional|orginal original
originaly originally|orignal original|otherwhise otherwise|otherwsie otherwise|othewise otherwise|ouput output
outptu output|outupt output|overidden overridden|overide override|overriden overridden|overwriten overwritten
pacakge package|packge package|pakage package|paramater parameter|paramaters parameters|paramter parameter
paramters parameters|paremeter parameter|parenthesys parentheses|paresd parsed|parmaeter parameter|parmeter parameter
particuliar particular|partiular particular|pased passed|pasing passing|peform perform|perfom perform
perfomance performance|performace performance|permision permission|permissons permissions|persistant persistent
platfrom platform|posibility possibility|posible possible|possibe possible|possiblity possibility
potentialy potentially|practial practical|preceed precede|preceeding preceding|precendence precedence
precidence precedence|predecence precedence|prefered preferred|prefering preferring|prefex prefix|presense presence
previosly previously|previouly previously|previuos previous|prevoius previous|priviledge privilege|privilige privilege
proberly properly|procces process|proccesed processed|proccess process|proceess process|procesing processing
programatically programmatically|programmaticaly programmatically|propertly properly|propery property
propogate propagate|propogation propagation|proprety property|protocal protocol|providse provides|provied provide
provieded provided|publically publicly|puroses purposes|querys queries|raisd raised|reaons reason|reccomend recommend
recieve receive|recieved received|reciever receiver|recieves receives|recieving receiving|recomended recommended
recommanded recommended|recurive recursive|recusion recursion|recusive recursive|redundent redundant|refence reference
referal referral|referece reference|refered referred|referense reference|refering referring|refernce reference
regarless regardless|regisration registration|registerd registered|regluar regular|releated related|relevent relevant
reponse response|reponsible responsible|repositry repository|represenation representation|represetation representation
represnt represent|repsonse response|reqeust request|requirment requirement|requirments requirements|requred required
requried required|requst request|reslut result|resonable reasonable|resouce resource|resouces resources
resoure resource|respectivly respectively|respone response|responsability responsibility|respository repository
resposne response|resutl result|retreive retrieve|retreived retrieved|retreives retrieves|retrive retrieve
retrived retrieved|retrun return|retruns returns|retun return|retuned returned|retured returned|returend returned
reuslt result|reutrn return|reutrns returns|rquest request|runing running|sanitzer sanitizer|satisified satisfied
scenerio scenario|secion section|seciton section|sepcific specific|sepcified specified|seperate separate
seperated separated|seperately separately|seperates separates|seperation separation|seperator separator
seperators separators|seqeunce sequence|sequnce sequence|serailize serialize|seralize serialize|seriliaze serialize
sholud should|shoud should|shoudl should|shuold should|similarily similarly|similiar similar|simlar similar
simmilar similar|simplier simpler|simultaneus simultaneous|simultanous simultaneous|specifc specific
specifed specified|specifially specifically|specificaly specifically|specificed specified|specifing specifying
specifiy specify|spefic specific|speficied specified|sperate separate|standart standard|stirng string|strign string
structre structure|strucutre structure|subscibe subscribe|substract subtract|succed succeed|succesful successful
succesfully successfully|successfull successful|successfuly successfully|sucess success|sucessful successful
sucessfully successfully|sufficent sufficient|suffient sufficient|suport support|suported supported|suppored supported
suppresion suppression|supproted supported|supress suppress|supressed suppressed|suprise surprise|surpress suppress
surronding surrounding|swtich switch|symetric symmetric|synax syntax|synchonous synchronous|syncronize synchronize
syncronous synchronous|syntatic syntactic|sytax syntax|sytem system|tempalte template|temporaly temporarily
temporay temporary|temproary temporary|thier their|thorugh through|threhold threshold|threshhold threshold
throgh through|throught through|thsi this|tihs this|tommorow tomorrow|tranform transform|transfered transferred
transfering transferring|transfom transform|transltion translation|trasnform transform|trigerred triggered
triggerred triggered|truely truly|tupple tuple|uncessary unnecessary|undefinded undefined|undelying underlying
unecessary unnecessary|unexepcted unexpected|unexpeced unexpected|unfortunatly unfortunately|unitialized uninitialized
unknwon unknown|unkonwn unknown|unkown unknown|unneccessary unnecessary|unnecesary unnecessary|unsuported unsupported
untill until|upate update|updat update|upgarde upgrade|usally usually|usefull useful|usualy usually|utlity utility
vaild valid|valdiate validate|valeu value|validaton validation|varable variable|varaible variable|variabel variable
varialbe variable|vaule value|vaules values|verfication verification|verifiy verify|verions versions|verison version
visable visible|wether whether|whenver whenever|wheter whether|whihc which|whitch which|whther whether|wich which
wiht with|wihtout without|withou without|witht with|wraping wrapping|writen written|wrtie write|yeild yield
yeilded yielded|yeilds yields
"""

MEANT: dict[str, str] = {
    wrong: right
    for line in _PAIRS.strip().splitlines()
    for wrong, _, right in (pair.partition(" ") for pair in line.split("|"))
}
"""Wrong -> right, in lower case."""
